"""The operations that are tortured: each can bring the host to the state before it, in no time or anew."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torture.inside.command import must, run
from torture.inside.snapshot import (
    RECOVERY_UNIT,
    REPO,
    STATE,
    TEMPORARY,
    TEMPORARY_PLACES,
    UNITS,
    Snapshot,
    active_version,
    take,
)

REGISTRY = "127.0.0.1:5000"
CARGO = f"{REGISTRY}/cargo:1"


@dataclass(frozen=True, slots=True)
class Operation:
    """A command line of os-containers; prepare brings the host to a state from where it has work to do."""

    name: str
    container: str
    words: Sequence[str]
    prepare: Callable[[], None]

    def take(self) -> Snapshot:
        return take(self.container)


def operations(container: str = "torture") -> dict[str, Operation]:
    """Return the operations on a container, which is named after its image."""
    latest = f"{REGISTRY}/{container}:latest"
    listed = (
        Operation("install", container, ("install", latest, "--name", container), lambda: _absent(container)),
        Operation("update", container, ("update", container), lambda: _outdated(container)),
        Operation("rollback", container, ("rollback", container), lambda: _with_previous(container)),
        Operation("uninstall", container, ("uninstall", container), lambda: _running(container)),
        Operation("pull", container, ("pull", "--insecure", CARGO), lambda: _not_pulled(container)),
        Operation("prune", container, ("images", "prune"), lambda: _with_garbage(container)),
    )
    return {operation.name: operation for operation in listed}


def pull_versions(container: str) -> None:
    """Bring both versions of a container's image into the store."""
    for version in ("1", "2"):
        must("os-containers", "pull", "--insecure", f"{REGISTRY}/{container}:{version}")


def tag(container: str, version: str) -> None:
    """Make a version the latest one in the store, as `images tag` does, without the time of a command."""
    latest = _image_ref(container, "latest")
    unfinished = latest.with_name("unfinished")
    shutil.copy(_image_ref(container, version), unfinished)
    unfinished.rename(latest)


def untag_cargo() -> bool:
    """Take the cargo's name out of the store; tell whether it was there."""
    ref = _image_ref("cargo", "1")
    was_there = ref.exists()
    ref.unlink(missing_ok=True)
    return was_there


def _image_ref(name: str, version: str) -> Path:
    return REPO / f"refs/heads/ociimage/127.0.0.1_3A5000_2F{name}_3A{version}"


def start_afresh(container: str) -> None:
    """Remove a container in whatever state it is, without its own help; images stay."""
    run(["systemctl", "stop", container])
    run(["systemctl", "disable", container])
    run(["systemctl", "reset-failed", container])
    for path in _all_paths(container):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    must("systemctl", "daemon-reload")


def _all_paths(container: str) -> Iterator[Path]:
    yield from UNITS.rglob(f"{container}.service*")
    if not any(path.is_symlink() for path in STATE.glob("*") if path.name != container):
        yield from UNITS.rglob(RECOVERY_UNIT)
    yield from (Path("/etc/tmpfiles.d") / f"{container}.conf", Path("/run") / f"{container}.version")
    yield from (Path("/etc") / container, Path("/var/lib") / container)
    yield from (STATE / container, STATE / ".deploy" / container)
    yield REPO / "refs/heads/os-containers/deploy" / container
    for directory in (".journal", ".staging", ".trash"):
        yield from (STATE / directory).glob("*")
    yield from STATE.glob(f"{TEMPORARY}*")
    yield from Path("/etc").rglob(f"{TEMPORARY}*")
    for place in TEMPORARY_PLACES:
        yield from place.glob("os-containers-*")


def _absent(container: str) -> None:
    if (STATE / container).is_symlink():
        must("systemctl", "stop", container)
        must("os-containers", "uninstall", container)
    tag(container, "1")


def _running(container: str) -> None:
    if not (STATE / container).is_symlink():
        tag(container, "1")
        must("os-containers", "install", f"{REGISTRY}/{container}:latest", "--name", container)
    must("systemctl", "start", container)


def _with_previous(container: str) -> None:
    if len(list((STATE / ".deploy" / container).glob("[0-9]*"))) < 2:  # noqa: PLR2004 - one and the one before
        _outdated(container)
        must("os-containers", "update", container)
    must("systemctl", "start", container)


def _outdated(container: str) -> None:
    _running(container)
    tag(container, "2" if active_version(container) == "1" else "1")


def _not_pulled(container: str) -> None:
    _running(container)
    if untag_cargo():
        must("os-containers", "images", "prune")


def _with_garbage(container: str) -> None:
    _running(container)
    must("os-containers", "pull", "--insecure", CARGO)
    untag_cargo()
