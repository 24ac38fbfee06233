"""The operations on a container of a root file system that is on the host already, and stays as it is."""

from pathlib import Path

from torture.inside.command import must
from torture.inside.operation import REGISTRY, Operation, other_version
from torture.inside.snapshot import ROOTS, STATE


def operations(container: str) -> dict[str, Operation]:
    """Return the operations on a container, which is named after the image that its roots were taken from."""
    update = ("update", "--rootfs", str(_latest(container)), container)
    listed = (
        Operation("install-rootfs", container, _install(container), lambda: _absent(container)),
        Operation("update-rootfs", container, update, lambda: _outdated(container)),
        Operation("uninstall-rootfs", container, ("uninstall", container), lambda: _running(container)),
    )
    return {operation.name: operation for operation in listed}


def _install(container: str) -> tuple[str, ...]:
    # the command to run is the image's, of whichever version
    return ("install", "--rootfs", str(_latest(container)), "--name", container, _image(container, "1"))


def _absent(container: str) -> None:
    _bring(container)
    if (STATE / container).is_symlink():
        must("systemctl", "stop", container)
        must("os-containers", "uninstall", container)


def _running(container: str) -> None:
    _bring(container)
    if not (STATE / container).is_symlink():
        must("os-containers", *_install(container))
    must("systemctl", "start", container)


def _outdated(container: str) -> None:
    _running(container)
    _point(container, other_version(container))


def _bring(container: str) -> None:
    """Have a root file system of each version."""
    if (ROOTS / container).is_dir():
        return
    (ROOTS / container).mkdir(parents=True)
    for version in ("1", "2"):
        image = _image(container, version)
        mounted = must("os-containers", "images", "mount", image).strip()
        must("cp", "--archive", mounted, str(ROOTS / container / version))
        must("os-containers", "images", "umount", image)
    _point(container, "1")


def _point(container: str, version: str) -> None:
    """Let the name that the operations use be that of a version."""
    _latest(container).unlink(missing_ok=True)
    _latest(container).symlink_to(version)


def _image(container: str, version: str) -> str:
    return f"{REGISTRY}/{container}:{version}"


def _latest(container: str) -> Path:
    return ROOTS / container / "latest"
