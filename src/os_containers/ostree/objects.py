"""The objects of a repo as files: where they are, and reading trees back.

repo/objects/ab/cdef...01.file       a file or symlink; the name is its checksum
repo/objects/ab/cdef...01.dirtree    names and checksums of what is in a directory
repo/objects/ab/cdef...01.dirmeta    owner, mode and xattrs of a directory
repo/objects/ab/cdef...01.commit     written by libostree
"""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from os_containers import files
from os_containers.errors import BrokenError
from os_containers.faults import is_exhaustion
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import (
    Commit,
    Dirmeta,
    decode_commit,
    decode_dirmeta,
    decode_dirtree,
    encode_dirmeta,
)

_Decoded = TypeVar("_Decoded")

# In a layer, the dirmeta of a directory that nothing but the paths of others implied; and what such a
# directory has in an image when no layer says more.
IMPLIED = encode_dirmeta(0, 0, stat.S_IFDIR | 0o755, ((b"user.os-containers.implied", b""),))
ORDINARY = encode_dirmeta(0, 0, stat.S_IFDIR | 0o755, ())

IMPLIED_CHECKSUM = hashlib.sha256(IMPLIED).hexdigest()


def object_path(repo: Path, name: str) -> str:
    """Return where the object CHECKSUM.KIND is, or would be."""
    return f"{repo}/objects/{path_in_objects(name)}"


def path_in_objects(name: str) -> str:
    """Return the same as a path in repo/objects."""
    return f"{name[:2]}/{name[2:]}"


def make_way(path: Path, what: str) -> None:
    """Remove a directory that has come where an object or a ref belongs; what is in it is not lost.

    Raises BrokenError when there is something in it.
    """
    if path.is_dir() and not path.is_symlink() and not files.remove_if_empty(path):
        raise BrokenError(
            f"the {what} {path} is a directory with something in it",
            hint=f"move {path} away, then: os-containers repair",
        )


def read_commit(repo: Path, checksum: str) -> Commit:
    """Return what a commit says; raises BrokenError when it is missing or damaged."""
    return _read_metadata(repo, f"{checksum}.commit", decode_commit)


def read_dirmeta(repo: Path, checksum: str) -> Dirmeta:
    """Return owner, mode and xattrs of a directory; raises BrokenError when they are missing or damaged."""
    return _read_metadata(repo, f"{checksum}.dirmeta", decode_dirmeta)


def has_tree(repo: Path, checksum: str) -> bool:
    """Tell whether a dirtree is there and whole; what it names is not looked at."""
    try:
        read_dirtree(repo, checksum)
    except BrokenError:
        return False
    return True


def read_tree(repo: Path, checksum: str, meta: str) -> Directory:
    """Return the tree under a dirtree; raises BrokenError when a part is missing or damaged."""
    root = Directory(meta=_stated(meta))
    pending = [(root, checksum)]
    while pending:
        directory, tree = pending.pop()
        directory.files, inner = read_dirtree(repo, tree)
        for name, (inner_tree, inner_meta) in inner.items():
            directory.directories[name] = Directory(meta=_stated(inner_meta))
            pending.append((directory.directories[name], inner_tree))
    return root


def find_content(repo: Path, dirtree: str, path: PurePosixPath) -> Path | None:
    """Return where the content of a file of a tree is, None without it; a symlink may be one there, too."""
    for name in path.parent.parts:
        _, directories = read_dirtree(repo, dirtree)
        if name not in directories:
            return None
        dirtree, _ = directories[name]
    names, _ = read_dirtree(repo, dirtree)
    return Path(object_path(repo, f"{names[path.name]}.file")) if path.name in names else None


def read_whole_tree(repo: Path, checksum: str, meta: str) -> Directory:
    """Return the tree under a dirtree as read_tree does; BrokenError also when a file in it is missing."""
    root = read_tree(repo, checksum, meta)
    with files.opened_directory(repo / "objects", os.O_PATH) as objects:
        for name in object_names(root):
            if not os.access(path_in_objects(name), os.F_OK, dir_fd=objects, follow_symlinks=False):
                raise BrokenError(f"the object {name} is missing", hint="pull the image again")
    return root


def object_names(root: Directory) -> dict[str, None]:
    """Return the files and dirmetas of a tree as CHECKSUM.KIND, each once, in the order of the tree."""
    names: dict[str, None] = {}
    for directory in root.walk():
        names[f"{directory.meta or IMPLIED_CHECKSUM}.dirmeta"] = None
        names.update((f"{checksum}.file", None) for checksum in directory.files.values())
    return names


def _stated(meta: str) -> str | None:
    return None if meta == IMPLIED_CHECKSUM else meta


def read_dirtree(repo: Path, checksum: str) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the files and directories of a dirtree, as decode_dirtree does; BrokenError without it."""
    return _read_metadata(repo, f"{checksum}.dirtree", decode_dirtree)


def _read_metadata(repo: Path, name: str, decode: Callable[[bytes], _Decoded]) -> _Decoded:
    path = object_path(repo, name)
    try:
        # thousands of them: buffers would take most of the time
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - and so would a Path
            data = file.readall()
    except OSError as error:
        if is_exhaustion(error):
            raise
        raise BrokenError(
            f"cannot read the object {name}: {error.strerror}", hint="pull the image again"
        ) from error
    if hashlib.sha256(data).hexdigest() != name.partition(".")[0]:
        raise BrokenError(f"the object {name} is damaged", hint="pull the image again")
    try:
        return decode(data)
    except ValueError as error:
        raise BrokenError(f"the object {name} is malformed: {error}", hint="pull the image again") from error
