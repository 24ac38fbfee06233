"""Whether the host lets us change what a plan changes, found before anything is."""

import errno
import fcntl
import os
import stat
import struct
from pathlib import PurePosixPath

from os_containers.errors import SystemFaultError
from os_containers.host.host_root import HostRoot, open_file_at
from os_containers.host.hostfiles import Change, HostPlan

# ioctl_iflags(2): what chattr +i and +a set
_GET_FLAGS = 0x80086601 if struct.calcsize("l") == 8 else 0x80046601  # noqa: PLR2004 - bytes of a long
_IMMUTABLE = 0x10
_APPEND_ONLY = 0x20
_NO_FLAGS = frozenset({errno.ENOTTY, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS})


def check_writable(plan: HostPlan) -> None:
    """Raise SystemFaultError for a path that cannot be changed: read-only, or immutable."""
    for directory in sorted(
        {_directory(plan.root, change) for change in plan.changes if change.changes_host}
    ):
        check_directory_writable(directory, plan.root)
    for change in plan.changes:
        if change.changes_host and change.present:
            _check_not_immutable(change.path, plan.root)


def check_directory_writable(directory: str, root: HostRoot) -> None:
    """Raise SystemFaultError when no name in a directory at a real path can be changed."""
    with root.directory(directory) as directory_fd:
        if os.fstatvfs(directory_fd).f_flag & os.ST_RDONLY:
            raise SystemFaultError(
                f"{directory} is on a read-only file system",
                hint="mount it writable, or have the image put its files elsewhere",
            )
        _check_flags(directory_fd, directory)


def _directory(root: HostRoot, change: Change) -> str:
    return root.existing_directory(str(PurePosixPath(change.path).parent))


def _check_not_immutable(path: str, root: HostRoot) -> None:
    whole = PurePosixPath(path)
    with root.directory(str(whole.parent)) as directory_fd:
        mode = os.lstat(whole.name, dir_fd=directory_fd).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return
        descriptor = open_file_at(whole.name, directory_fd)
        try:
            _check_flags(descriptor, path)
        finally:
            os.close(descriptor)


def _check_flags(descriptor: int, path: str) -> None:
    try:
        answer = fcntl.ioctl(descriptor, _GET_FLAGS, b"\0" * 8)
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return
        raise
    # the kernel fills an int, whatever the number of the call says
    (flags,) = struct.unpack_from("i", answer)
    for flag, word, option in ((_IMMUTABLE, "immutable", "i"), (_APPEND_ONLY, "append-only", "a")):
        if flags & flag:
            raise SystemFaultError(f"{path} is {word}", hint=f"chattr -{option} {path}, then try again")
