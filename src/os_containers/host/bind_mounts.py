"""A directory shown at another place, so that nobody can change it there, nor gain anything by it.

See mount_setattr(2), open_tree(2), move_mount(2): the mount is made whole before anybody can see it, so a
command that is killed leaves either none or one that is read-only.
"""

import ctypes
import errno
import os
from pathlib import Path

from os_containers import trees
from os_containers.errors import BusyError, SystemFaultError
from os_containers.faults import next_step

_libc = ctypes.CDLL(None, use_errno=True)

# The same on all architectures; libc has no functions for them before glibc 2.36.
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_MOUNT_SETATTR = 442
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_MOUNT_ATTR_RDONLY = 1
_MOUNT_ATTR_NOSUID = 2
_MOUNT_ATTR_NODEV = 4
_MS_PRIVATE = 1 << 18
_UMOUNT_NOFOLLOW = 8


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd"))


def show_read_only(source: Path, point: Path) -> None:
    """Mount a directory at another one, read-only, without devices, setuid and capabilities of files."""
    try:
        _mount(source, point)
    except OSError as error:
        hint = "this needs Linux 5.12 or newer" if error.errno == errno.ENOSYS else next_step(error)
        raise SystemFaultError(f"cannot mount at {point}: {error.strerror}", hint=hint) from error


def unmount(point: Path) -> None:
    """Take a mount away. Raises BusyError while somebody has something open in it."""
    try:
        _check(_libc.umount2(os.fsencode(point), _UMOUNT_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise BusyError(f"{point} is in use", hint=f"fuser --mount {point} shows what uses it") from error
        raise SystemFaultError(f"cannot unmount {point}: {error.strerror}", hint=next_step(error)) from error


def mount_points(parent: Path) -> list[tuple[str, Path]]:
    """Return which of the directories in a parent are mounted elsewhere, by name, and where."""
    found = []
    for root, point in trees.mounts():
        # a file system's own path may have more before it: a subvolume, or where its mount begins
        if root.parent.name == parent.name and _is_same(parent / root.name, point):
            found.append((root.name, point))
    return found


def _is_same(directory: Path, point: Path) -> bool:
    try:
        return point.samefile(directory)
    except OSError:
        return False


def _mount(source: Path, point: Path) -> None:
    tree = _check(_libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | os.O_CLOEXEC))
    try:
        attributes = _MountAttributes(
            attr_set=_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, propagation=_MS_PRIVATE
        )
        size = ctypes.sizeof(attributes)
        _check(_libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), size))
        _check(_libc.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(point), _MOVE_MOUNT_F_EMPTY_PATH))
    finally:
        os.close(tree)


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
