"""Whether objects are what their names say: each name is the checksum of what it stands for."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from os_containers.ostree.formats import SYMLINK_MODE
from os_containers.ostree.variants import encode_header, header_of
from os_containers.paths import Mode

_CHUNK = 1 << 20
_METADATA = frozenset({"commit", "dirmeta", "dirtree"})


def damaged_objects(repo: Path, mode: Mode) -> Iterator[str]:
    """Yield the names of the objects, CHECKSUM.KIND, whose content is another one, or cannot be read."""
    file_checksum = _bare_checksum if mode is Mode.SYSTEM else _bare_user_checksum
    for path in sorted((repo / "objects").glob("??/*")):
        checksum, _, kind = f"{path.parent.name}{path.name}".partition(".")
        if kind in _METADATA or kind == "file":
            compute = file_checksum if kind == "file" else _checksum_of_bytes
            if _computed(compute, path) != checksum:
                yield f"{checksum}.{kind}"


def _computed(compute: Callable[[Path], str], path: Path) -> str:
    try:
        return compute(path)
    except (OSError, ValueError):
        return ""


def _checksum_of_bytes(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bare_checksum(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        target = os.fsencode(path.readlink()).decode()
        header = encode_header(status.st_uid, status.st_gid, SYMLINK_MODE, target, _xattrs(path))
        return hashlib.sha256(header).hexdigest()
    header = encode_header(status.st_uid, status.st_gid, status.st_mode, "", _xattrs(path))
    return _with_content(header, path)


def _bare_user_checksum(path: Path) -> str:
    meta = os.getxattr(path, "user.ostreemeta", follow_symlinks=False)
    if stat.S_ISLNK(int.from_bytes(meta[8:12], "big")):
        target = path.read_bytes().removesuffix(b"\0").decode()
        return hashlib.sha256(header_of(meta, target)).hexdigest()
    return _with_content(header_of(meta, ""), path)


def _with_content(header: bytes, path: Path) -> str:
    hasher = hashlib.sha256(header)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _xattrs(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    # a label is the host's affair: we store none
    names = [name for name in os.listxattr(path, follow_symlinks=False) if name != "security.selinux"]
    return tuple(
        (os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names)
    )
