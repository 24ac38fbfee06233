"""How a file of an image lies in the repo: what differs between bare (the system's) and bare-user (a user's).

A bare repo gives each file its owner, mode and xattrs. A bare-user repo keeps them in user.ostreemeta, and a
symlink is a regular file that holds the target and a NUL.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from os_containers.errors import SystemFaultError
from os_containers.ostree.variants import Xattrs, encode_dirmeta
from os_containers.paths import Mode

SYMLINK_MODE = stat.S_IFLNK | 0o777

# What bare-user leaves of a file's mode: no setuid, not writable by all, always readable by the owner.
_USER_MODE_MASK = 0o775
_USER_MODE_MINIMUM = 0o400
_PRIVATE = 0o600
_PROBE = "probe"
_PATH_SIZE = 4096
# What a file system answers that has room, but not for an xattr of that size.
_TOO_LARGE = (errno.ENOSPC, errno.E2BIG, errno.ERANGE)


@dataclass(frozen=True, slots=True)
class Attributes:
    """Owner, permission bits and xattrs of a file, symlink or directory."""

    uid: int = 0
    gid: int = 0
    mode: int = 0o644
    xattrs: Xattrs = ()


class Format(Protocol):
    """The format of one kind of repo."""

    def first_mode(self, attributes: Attributes) -> int:
        """Return the permission bits with which a regular file is created."""

    def finish_file(self, descriptor: int, attributes: Attributes) -> None:
        """Give a regular file that was written its attributes."""

    def write_symlink(self, path: str, target: str, attributes: Attributes) -> None:
        """Create the file of a symlink; raises FileExistsError when there is one."""

    def directory_mode(self, mode: int) -> int:
        """Return the permission bits that a directory keeps."""


class Bare:
    """Files are what they will be in a checkout; own is what a new one has when it is not told otherwise."""

    def __init__(self, own: os.stat_result) -> None:
        self._owner = own.st_uid, own.st_gid
        self._permitted = stat.S_IMODE(own.st_mode)

    def first_mode(self, attributes: Attributes) -> int:
        return attributes.mode if self._is_right_at_once(attributes) else _PRIVATE

    def finish_file(self, descriptor: int, attributes: Attributes) -> None:
        if not self._is_right_at_once(attributes):
            self._give_attributes(descriptor, attributes)
        os.utime(descriptor, (0, 0))

    def _is_right_at_once(self, attributes: Attributes) -> bool:
        # true of most files, and each change of an inode costs as much as a small file's content
        return (
            (attributes.uid, attributes.gid) == self._owner
            and not attributes.mode & ~self._permitted
            and not attributes.xattrs
        )

    def _give_attributes(self, descriptor: int, attributes: Attributes) -> None:
        # In this order: a change of owner clears setuid and capabilities.
        os.fchown(descriptor, attributes.uid, attributes.gid)
        for name, value in attributes.xattrs:
            _set_xattr(descriptor, name, value)
        os.fchmod(descriptor, attributes.mode)

    def write_symlink(self, path: str, target: str, attributes: Attributes) -> None:
        os.symlink(target, path)  # noqa: PTH211 - once per file, where a Path costs more than the system call
        os.lchown(path, attributes.uid, attributes.gid)
        for name, value in attributes.xattrs:
            _set_xattr(path, name, value)

    def directory_mode(self, mode: int) -> int:
        return mode


class BareUser:
    """Files belong to the user, their attributes are written down."""

    def first_mode(self, attributes: Attributes) -> int:  # noqa: ARG002 - as Format says
        return _PRIVATE

    def finish_file(self, descriptor: int, attributes: Attributes) -> None:
        _keep_attributes(descriptor, stat.S_IFREG | attributes.mode, attributes)
        os.fchmod(descriptor, user_mode(attributes.mode))

    def write_symlink(self, path: str, target: str, attributes: Attributes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, target.encode() + b"\0")
            _keep_attributes(descriptor, SYMLINK_MODE, attributes)
            os.fchmod(descriptor, 0o644)
        finally:
            os.close(descriptor)

    def directory_mode(self, mode: int) -> int:
        # Without these a user can neither enter nor remove the directory.
        return mode | stat.S_IRWXU


def user_mode(mode: int) -> int:
    """Return the permission bits that a file of a bare-user repo has on disk."""
    return (stat.S_IMODE(mode) | _USER_MODE_MINIMUM) & _USER_MODE_MASK


def kept_symlink(path: str) -> str | None:
    """Return the target of a symlink that a bare-user repo keeps as a file, None for any other file."""
    meta = os.getxattr(path, "user.ostreemeta")
    if not stat.S_ISLNK(int.from_bytes(meta[8:12], "big")):
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.fsdecode(os.read(descriptor, _PATH_SIZE).removesuffix(b"\0"))
    finally:
        os.close(descriptor)


def kept_xattrs(file: int | Path) -> Xattrs:
    """Return the xattrs of a file that are the image's: the host adds labels of its own."""
    names = [name for name in os.listxattr(file) if name == "security.capability" or name.startswith("user.")]
    return tuple((name.encode(), os.getxattr(file, name)) for name in sorted(names))


def format_of(mode: Mode, directory: int) -> Format:
    """Return the format of the system's repo or of a user's, for files in an open directory."""
    return Bare(_new_file(directory)) if mode is Mode.SYSTEM else BareUser()


def _new_file(directory: int) -> os.stat_result:
    """Return what a new file gets there, by umask, mount options and the directory's own attributes."""
    descriptor = os.open(_PROBE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777, dir_fd=directory)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
        os.unlink(_PROBE, dir_fd=directory)


def _keep_attributes(descriptor: int, mode: int, attributes: Attributes) -> None:
    meta = encode_dirmeta(attributes.uid, attributes.gid, mode, attributes.xattrs)
    _set_xattr(descriptor, b"user.ostreemeta", meta)
    os.utime(descriptor, (0, 0))


def _set_xattr(file: int | str, name: bytes, value: bytes) -> None:
    try:
        # a descriptor is never that of a symlink, and cannot be given with follow_symlinks
        os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))
    except OSError as error:
        if error.errno not in _TOO_LARGE:
            raise
        raise SystemFaultError(
            f"the repo's file system cannot store the extended attribute {name.decode()!a}"
            f" of {len(value)} bytes: {error.strerror}",
            hint="unless it is full, move the repo to xfs or btrfs, which take larger ones than ext4",
        ) from error
