"""Whether objects are what their names say: each name is the checksum of what it stands for.

libostree makes hard links of whatever an object has become, by a bad disk or by a write through a rootfs.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from os_containers import files
from os_containers.faults import is_exhaustion
from os_containers.ostree.formats import SYMLINK_MODE, kept_xattrs, user_mode
from os_containers.ostree.objects import object_names, object_path
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import encode_header, header_of
from os_containers.parallel import filtered
from os_containers.paths import Mode

_CHUNK = 1 << 20
_METADATA = frozenset({"commit", "dirmeta", "dirtree"})


def damaged_objects(repo: Path, mode: Mode, among: Container[str] | None = None) -> Iterator[str]:
    """Yield the names of the objects, CHECKSUM.KIND, whose content is another one, or cannot be read.

    They must be ours: of the host's own files the labels count, too, which kept_xattrs leaves out.
    """
    for path in files.entries_beneath(repo / "objects", levels=2):
        name = f"{path.parent.name}{path.name}"
        kind = name.partition(".")[2]
        is_meant = (kind in _METADATA or kind == "file") and (among is None or name in among)
        if is_meant and _is_damaged(repo, mode, name):
            yield name


def damaged_in_tree(repo: Path, mode: Mode, root: Directory) -> list[str]:
    """Return the files and dirmetas of a tree that are damaged or missing, as CHECKSUM.KIND, each once."""
    return filtered(lambda name: _is_damaged(repo, mode, name), list(object_names(root)))


def _is_damaged(repo: Path, mode: Mode, name: str) -> bool:
    checksum, _, kind = name.partition(".")
    path = object_path(repo, name)
    try:
        if kind in _METADATA:
            return _checksum_of_bytes(path) != checksum
        return (_bare_checksum(path) if mode is Mode.SYSTEM else _bare_user_checksum(path)) != checksum
    except OSError as error:
        # what is damaged gets removed
        if is_exhaustion(error):
            raise
        return True
    except ValueError:
        return True


def _checksum_of_bytes(path: str) -> str:
    descriptor = _opened(path)
    try:
        return _with_content(b"", descriptor)
    finally:
        os.close(descriptor)


def _bare_checksum(path: str) -> str:
    try:
        descriptor = _opened(path)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return _bare_symlink_checksum(path)
    try:
        status = os.fstat(descriptor)
        header = encode_header(status.st_uid, status.st_gid, status.st_mode, "", kept_xattrs(descriptor))
        return _with_content(header, descriptor)
    finally:
        os.close(descriptor)


def _bare_symlink_checksum(path: str) -> str:
    status = os.lstat(path)
    target = os.readlink(path)  # noqa: PTH115 - a Path would normalise it
    return hashlib.sha256(encode_header(status.st_uid, status.st_gid, SYMLINK_MODE, target, ())).hexdigest()


def _bare_user_checksum(path: str) -> str:
    descriptor = _opened(path)
    try:
        meta = os.getxattr(descriptor, "user.ostreemeta")
        mode = int.from_bytes(meta[8:12], "big")
        if stat.S_ISLNK(mode):
            target = os.read(descriptor, _CHUNK).removesuffix(b"\0").decode()
            return hashlib.sha256(header_of(meta, target)).hexdigest()
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != user_mode(mode):
            raise ValueError("not the mode that such a file has on disk")
        return _with_content(header_of(meta, ""), descriptor)
    finally:
        os.close(descriptor)


def _opened(path: str) -> int:
    # a symlink must not be followed, and a fifo not be waited for
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _with_content(header: bytes, descriptor: int) -> str:
    hasher = hashlib.sha256(header)
    while chunk := os.read(descriptor, _CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()
