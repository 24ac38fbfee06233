"""What an operation is; what is done to the store and to a container without the help of os-containers."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torture.inside.command import must, run
from torture.inside.snapshot import (
    FACTORIES,
    FACTORY_TMPFILES,
    FACTORY_UNITS,
    RECOVERY_UNIT,
    REPO,
    ROOTS,
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


def latest_of(container: str) -> str:
    """Return the name of a container's image, of which tag says what it is."""
    return f"{REGISTRY}/{container}:latest"


@dataclass(frozen=True, slots=True)
class Operation:
    """A command line of os-containers; prepare brings the host to a state from where it has work to do."""

    name: str
    container: str
    words: Sequence[str]
    prepare: Callable[[], None]

    def take(self) -> Snapshot:
        return take(self.container)


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


def other_version(container: str) -> str:
    """Return the version that is not active."""
    return "2" if active_version(container) == "1" else "1"


def _image_ref(name: str, version: str) -> Path:
    return REPO / f"refs/heads/ociimage/127.0.0.1_3A5000_2F{name}_3A{version}"


def start_afresh(container: str) -> None:
    """Remove a container in whatever state it is, with its package and its roots; images stay."""
    run(["systemctl", "stop", container])
    run(["systemctl", "disable", container])
    run(["systemctl", "reset-failed", container])
    for path in _all_paths(container):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for directory in (FACTORIES, FACTORIES.parent, ROOTS):
        with contextlib.suppress(OSError):
            directory.rmdir()
    must("systemctl", "daemon-reload")


def _all_paths(container: str) -> Iterator[Path]:
    for units in (UNITS, FACTORY_UNITS):
        yield from units.rglob(f"{container}.service*")
    yield from (FACTORIES / container, FACTORY_TMPFILES / f"{container}.conf", ROOTS / container)
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
