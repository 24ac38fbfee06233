"""A file of an image, opened so that no symlink in its rootfs leads out of it."""

import errno
import os
import stat
from pathlib import Path

# What open(2) answers for a symlink that is not to be followed, and for what is no file to be read.
_NOT_PLAIN = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENODEV})


class NotPlainFileError(OSError):
    """A part of the way is a symlink, or its end no regular file."""


def open_beneath(root: Path, relative: str) -> int:
    """Open a regular file for reading beneath root, following no symlink on the way.

    Returns a descriptor. Raises FileNotFoundError, NotPlainFileError when a part of the way is a symlink or
    the end is not a regular file, and OSError when the host fails us.
    """
    try:
        opened = _open_beneath(root, relative)
    except OSError as error:
        if error.errno not in _NOT_PLAIN:
            raise
        raise NotPlainFileError(error.errno, os.strerror(error.errno), relative) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise NotPlainFileError(f"{relative} is not a regular file")
    return opened


def _open_beneath(root: Path, relative: str) -> int:
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        *directories, name = Path(relative).parts
        for part in directories:
            inner = os.open(
                part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
            )
            os.close(descriptor)
            descriptor = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    finally:
        os.close(descriptor)
