"""Names of the host exchanged, and taken only when they are free: what is not ours is never replaced."""

import ctypes
import errno
import os
import stat

from os_containers.files import is_there

# the standard library has no renameat2
_libc = ctypes.CDLL(None, use_errno=True)

# renameat2(2)
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
# what file systems answer that lack a way of renaming, and kernels that lack the call
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def rename_to_free_name(old: str, new: str, *, old_fd: int, new_fd: int) -> None:
    """Rename what is in the directory old_fd. Raises FileExistsError when the new name is taken."""
    try:
        _renameat2(old, new, old_fd, new_fd, _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        rename_by_link(old, new, old_fd=old_fd, new_fd=new_fd)


def rename_by_link(old: str, new: str, *, old_fd: int, new_fd: int) -> None:
    """Do the same where renameat2(2) cannot: link(2) refuses a taken name; for a directory we look."""
    if stat.S_ISDIR(os.lstat(old, dir_fd=old_fd).st_mode):
        if is_there(new, new_fd):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
        return
    os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
    os.unlink(old, dir_fd=old_fd)


def exchange_names(one: str, other: str, directory_fd: int) -> bool:
    """Exchange two names of a directory in one step; False where the file system cannot."""
    try:
        _renameat2(one, other, directory_fd, directory_fd, _RENAME_EXCHANGE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def _renameat2(old: str, new: str, old_fd: int, new_fd: int, flags: int) -> None:
    if _libc.renameat2(old_fd, os.fsencode(old), new_fd, os.fsencode(new), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
