"""The operations on a container that a package brings: what lies over it comes and goes, it stays."""

import tempfile
from pathlib import Path

from torture.inside.command import must
from torture.inside.operation import Operation, latest_of, other_version, tag
from torture.inside.snapshot import FACTORIES, STATE


def operations(container: str) -> dict[str, Operation]:
    """Return the operations on a container, which is named after its image; version 1 is in the package."""
    listed = (
        Operation("update-package", container, ("update", container), lambda: _alone(container)),
        Operation("rollback-package", container, ("rollback", container), lambda: _updated(container)),
        Operation(
            "rollback-factory",
            container,
            ("rollback", "--factory", container),
            lambda: _updated_twice(container),
        ),
        Operation("uninstall-package", container, ("uninstall", container), lambda: _updated(container)),
    )
    return {operation.name: operation for operation in listed}


def _alone(container: str) -> None:
    """Have the package's deployment alone, and a newer image."""
    _bring(container)
    if _serials(container):
        _bring_over(container)
        must("os-containers", "uninstall", container)
    tag(container, "2")
    must("systemctl", "start", container)


def _updated(container: str) -> None:
    """Have one deployment over the package's."""
    _bring(container)
    _bring_over(container)
    must("systemctl", "start", container)


def _updated_twice(container: str) -> None:
    """Have two deployments over the package's: the one before is not the one to return to."""
    _updated(container)
    if len(_serials(container)) == 1:
        tag(container, other_version(container))
        must("os-containers", "update", container)


def _bring_over(container: str) -> None:
    """Let a deployment of ours be active, the one that was so last when there is one."""
    if (STATE / container).is_symlink():
        return
    if _serials(container):
        must("os-containers", "rollback", container)
    else:
        tag(container, "2")
        must("os-containers", "update", container)


def _serials(container: str) -> list[Path]:
    return list((STATE / ".deploy" / container).glob("[0-9]*"))


def _bring(container: str) -> None:
    """Put the files of a package where it has them, and do what its scripts do; dpkg knows nothing of it."""
    if (FACTORIES / container).is_dir():
        return
    tag(container, "1")
    with tempfile.TemporaryDirectory() as scratch:
        must(
            "os-containers", "package", "--format", "deb", "--name", container, "--output", scratch,
            latest_of(container),
        )  # fmt: skip
        (package,) = Path(scratch).iterdir()
        must("dpkg-deb", "--extract", str(package), "/")
    must("systemctl", "daemon-reload")
    must("systemctl", "enable", container)
    must("systemd-tmpfiles", "--create", f"{container}.conf")
    # a runtime makes its mount points in the rootfs once
    must("systemctl", "start", container)
