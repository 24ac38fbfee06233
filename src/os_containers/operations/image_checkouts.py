"""The checkouts of mounted images, and the directories of ours where they are shown.

STATE/.mounted/COMMIT/          whole as soon as it has its name; gone with its last mount
/run/os-containers/images/ID/   gone with its mount

The files of a checkout are hard links of the repo's, so nobody may write to them: the mounts see to that.
What is mounted, the kernel knows; whatever is without a mount is what a killed command or a reboot left.
"""

import contextlib
from pathlib import Path

from os_containers import files, trees
from os_containers.errors import BusyError
from os_containers.host.bind_mounts import mount_points
from os_containers.operations.system import System


def own_mount_points(system: System) -> Path:
    """Return where the directories are that we make for mounts."""
    return system.paths.run_directory / "os-containers/images"


def abandoned_checkouts(system: System) -> list[Path]:
    """Return what is mounted nowhere, and where nothing is mounted; nothing while a command is mounting."""
    if not _is_anything_there(system):
        return []
    try:
        with system.at_once().mounts_locked():
            return [*_unmounted(system), *_unused(system)]
    except BusyError:
        return []


def remove_abandoned_checkouts(system: System) -> None:
    """Remove the same; a command that is mounting does so itself."""
    if _is_anything_there(system):
        with contextlib.suppress(BusyError), system.at_once().mounts_locked():
            remove_unmounted(system)


def remove_unmounted(system: System) -> None:
    """Remove what is mounted nowhere, and where nothing is mounted; the lock of the mounts is held."""
    for one in _unmounted(system):
        trees.remove_tree(one)
    points = own_mount_points(system)
    for one in (*_unused(system), points, points.parent, system.paths.mounted):
        files.remove_unless_needed(str(one))


def _is_anything_there(system: System) -> bool:
    return system.paths.mounted.is_dir() or own_mount_points(system).is_dir()


def _unmounted(system: System) -> list[Path]:
    mounted = {name for name, _ in mount_points(system.paths.mounted)}
    return [one for one in _entries(system.paths.mounted) if one.name not in mounted]


def _unused(system: System) -> list[Path]:
    used = {point for _, point in mount_points(system.paths.mounted)}
    return [one for one in _entries(own_mount_points(system)) if one not in used]


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []
