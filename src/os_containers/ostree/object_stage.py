"""Writing objects: first into a stage, then under their final names.

    repo/tmp/os-containers-XXXXXXXX/       one stage; its flock tells that its process lives
        cdef...01.file, .dirtree, ...      objects, under their flat names
        writing-N                          a large file whose checksum is not known yet

A file system may make a name durable before the content. So an object gets its final name only after a sync,
and what has a final name is whole, however the machine stopped. A stage whose process was killed is removed
by the next.
"""

# Most of this runs once per file, where a Path costs more than the system call that it is for.
# ruff: noqa: PTH103, PTH104, PTH108, PTH208

import contextlib
import functools
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from os_containers import files
from os_containers.ostree.formats import SYMLINK_MODE, Attributes, format_of
from os_containers.ostree.objects import ORDINARY, object_path
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import encode_dirmeta, encode_dirtree, encode_header
from os_containers.paths import Mode
from os_containers.scratch import Scratch, remove_abandoned, scratch_directory

if TYPE_CHECKING:
    from hashlib import _Hash

_PREFIX = "os-containers-"


class ObjectStage:
    """Takes objects; nothing is in the repo before publish()."""

    def __init__(self, repo: Path, mode: Mode, directory: Path) -> None:
        self.directory = directory
        self._repo = repo
        self._format = format_of(mode)
        self._large_files = itertools.count()

    def write_file(self, attributes: Attributes, chunks: Iterable[bytes]) -> str:
        """Write a regular file and return its checksum."""
        hasher = hashlib.sha256(_file_header(attributes))
        remaining = iter(chunks)
        first = next(remaining, b"")
        second = next(remaining, None)
        if second is None:
            hasher.update(first)
            return self._write_small(hasher.hexdigest(), attributes, first)
        return self._write_large(hasher, attributes, itertools.chain((first, second), remaining))

    def write_symlink(self, attributes: Attributes, target: str) -> str:
        """Write a symlink and return its checksum."""
        header = encode_header(attributes.uid, attributes.gid, SYMLINK_MODE, target, attributes.xattrs)
        checksum = hashlib.sha256(header).hexdigest()
        if not self._has(f"{checksum}.file"):
            with contextlib.suppress(FileExistsError):
                self._format.write_symlink(self._path(f"{checksum}.file"), target, attributes)
        return checksum

    def write_dirmeta(self, attributes: Attributes) -> str:
        """Write the attributes of a directory and return their checksum."""
        mode = stat.S_IFDIR | self._format.directory_mode(attributes.mode)
        return self._write_metadata(
            "dirmeta", encode_dirmeta(attributes.uid, attributes.gid, mode, attributes.xattrs)
        )

    def write_tree(self, root: Directory, *, unstated: bytes = ORDINARY) -> tuple[str, str]:
        """Write the directories of a tree and return the checksums of the root's dirtree and dirmeta.

        Directories without a dirmeta get the one given as unstated.
        """
        unstated_meta = self._write_metadata("dirmeta", unstated)
        written: dict[int, tuple[str, str]] = {}
        for directory in reversed(list(root.walk())):
            inner = {name: written.pop(id(one)) for name, one in directory.directories.items()}
            tree = self._write_metadata("dirtree", encode_dirtree(directory.files, inner))
            written[id(directory)] = (tree, directory.meta or unstated_meta)
        return written[id(root)]

    def publish(self) -> None:
        """Make the objects durable, then give them their final names."""
        files.sync_file_system(self._repo)
        names = os.listdir(self.directory)
        for shard in {name[:2] for name in names}:
            os.makedirs(f"{self._repo}/objects/{shard}", exist_ok=True)
        for name in names:
            os.rename(self._path(name), object_path(self._repo, name))

    def _write_small(self, checksum: str, attributes: Attributes, content: bytes) -> str:
        if not self._has(f"{checksum}.file"):
            with contextlib.suppress(FileExistsError), _created(self._path(f"{checksum}.file")) as descriptor:
                _write_all(descriptor, content)
                self._format.finish_file(descriptor, attributes)
        return checksum

    def _write_large(self, hasher: "_Hash", attributes: Attributes, chunks: Iterable[bytes]) -> str:
        writing = self._path(f"writing-{next(self._large_files)}")
        with _created(writing) as descriptor:
            for chunk in chunks:
                hasher.update(chunk)
                _write_all(descriptor, chunk)
            self._format.finish_file(descriptor, attributes)
        checksum = hasher.hexdigest()
        if self._has(f"{checksum}.file"):
            os.unlink(writing)
        else:
            os.rename(writing, self._path(f"{checksum}.file"))
        return checksum

    def _write_metadata(self, kind: str, content: bytes) -> str:
        checksum = hashlib.sha256(content).hexdigest()
        if not self._has(f"{checksum}.{kind}"):
            with (
                contextlib.suppress(FileExistsError),
                _created(self._path(f"{checksum}.{kind}")) as descriptor,
            ):
                _write_all(descriptor, content)
                os.fchmod(descriptor, 0o644)
        return checksum

    def _has(self, name: str) -> bool:
        return os.path.lexists(object_path(self._repo, name))

    def _path(self, name: str) -> str:
        return f"{self.directory}/{name}"


@contextlib.contextmanager
def object_stage(repo: Path, mode: Mode) -> Iterator[ObjectStage]:
    """Give a fresh stage and remove it in the end; what was not published is dropped."""
    with repo_scratch(repo) as scratch:
        yield ObjectStage(repo, mode, scratch.path)


def repo_scratch(repo: Path) -> contextlib.AbstractContextManager[Scratch]:
    """Give a directory on the repo's file system, which the next import removes when we are killed."""
    return scratch_directory(repo / "tmp", _PREFIX)


def remove_stale_stages(repo: Path) -> None:
    """Free what imports that were killed left behind."""
    remove_abandoned(repo / "tmp", _PREFIX)


@contextlib.contextmanager
def _created(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _file_header(attributes: Attributes) -> bytes:
    mode = stat.S_IFREG | attributes.mode
    if attributes.xattrs:
        return encode_header(attributes.uid, attributes.gid, mode, "", attributes.xattrs)
    return _plain_header(attributes.uid, attributes.gid, mode)


@functools.lru_cache(maxsize=1000)
def _plain_header(uid: int, gid: int, mode: int) -> bytes:
    return encode_header(uid, gid, mode, "", ())


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        content = content[written:]
        written = os.write(descriptor, content)
