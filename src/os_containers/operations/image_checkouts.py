"""The checkouts of mounted images.

STATE/.mounted/COMMIT/          whole as soon as it has its name; gone with its last mount

Their files are hard links of the repo's, so nobody may write to them: the mounts see to that. What is
mounted, the kernel knows; a checkout without a mount is what a killed command or a reboot left.
"""

import contextlib
from pathlib import Path

from os_containers import files
from os_containers.errors import BusyError
from os_containers.host.bind_mounts import mount_points
from os_containers.operations.system import System


def abandoned_checkouts(system: System) -> list[Path]:
    """Return the checkouts that are mounted nowhere; none while a command is mounting."""
    if not system.paths.mounted.is_dir():
        return []
    try:
        with system.at_once().mounts_locked():
            return _unmounted(system)
    except BusyError:
        return []


def remove_abandoned_checkouts(system: System) -> None:
    """Remove the checkouts that are mounted nowhere; a command that is mounting does so itself."""
    if not system.paths.mounted.is_dir():
        return
    with contextlib.suppress(BusyError), system.at_once().mounts_locked():
        remove_unmounted(system)


def remove_unmounted(system: System) -> None:
    """Remove the checkouts that are mounted nowhere; the lock of the mounts is held."""
    for one in _unmounted(system):
        files.remove_tree(one)
    if system.paths.mounted.is_dir():
        files.remove_if_empty(system.paths.mounted)


def _unmounted(system: System) -> list[Path]:
    directory = system.paths.mounted
    if not directory.is_dir():
        return []
    mounted = {name for name, _ in mount_points(directory)}
    return [one for one in sorted(directory.iterdir()) if one.name not in mounted]
