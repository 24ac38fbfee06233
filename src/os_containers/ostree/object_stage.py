"""Writing objects: first into a stage, then under their final names.

    repo/tmp/os-containers-XXXXXXXX/       one stage; its flock tells that its process lives
        ab/cdef...01.file, .dirtree, ...   objects, as they will be in repo/objects
        writing-N                          a large file whose checksum is not known yet

A file system may make a name durable before the content. So an object gets its final name only after a sync,
and what has a final name is whole, however the machine stopped. A stage whose process was killed is removed
by the next.
"""

# Most of this runs once per file, where a Path costs more than the system call that it is for, and a long
# path a good part of it: so names are looked up from the stage and from repo/objects.
# ruff: noqa: PTH208

import contextlib
import errno
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
from os_containers.ostree.objects import ORDINARY, path_in_objects
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import encode_dirmeta, encode_dirtree, encode_header
from os_containers.ostree.write_behind import WriteBehind, write_behind
from os_containers.paths import Mode
from os_containers.scratch import Scratch, remove_abandoned, scratch_directory
from os_containers.selinux import Labels, give_label, host_labels

if TYPE_CHECKING:
    from hashlib import _Hash

_PREFIX = "os-containers-"
# What rename(2) answers when there is a directory with something in it.
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})


class ObjectStage:
    """Takes objects; nothing is in the repo before publish()."""

    def __init__(self, mode: Mode, scratch: Scratch, objects: int, write_behind: WriteBehind) -> None:
        self.directory = scratch.path
        self._stage = scratch.descriptor
        self._objects = objects
        self._write_behind = write_behind
        self._format = format_of(mode, self._stage)
        self._large_files = itertools.count()
        # the directories of the repo, of which some may be new since; and those of the stage
        self._repo_shards = frozenset(os.listdir(objects))
        self._shards: set[str] = set()
        # what was written for the layer under way: checksums of files, which its tree has in memory as well,
        # and the paths of all else
        self._new_files: list[str] = []
        self._new: list[str] = []

    @contextlib.contextmanager
    def all_or_none(self) -> Iterator["ObjectStage"]:
        """Give the stage itself; when the block fails, what it has written goes."""
        self._forget_new()
        try:
            yield self
        except BaseException:
            for path in (*self._new, *map(_file_path, self._new_files)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path, dir_fd=self._stage)
            raise
        finally:
            self._forget_new()

    def _forget_new(self) -> None:
        self._new.clear()
        self._new_files.clear()

    def write_file(self, attributes: Attributes, chunks: Iterable[bytes | memoryview]) -> str:
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
        path = self._place(f"{checksum}.file")
        if path:
            # before there is anything of it: a symlink that is half written goes, too
            self._new_files.append(checksum)
            try:
                self._format.write_symlink(f"{self.directory}/{path}", target, attributes)
            except FileExistsError:
                self._new_files.pop()
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
        self._write_behind.finish()
        for shard in self._shards:
            self._publish(shard)

    def _publish(self, shard: str) -> None:
        try:
            # as a whole, where the repo has none of it yet
            os.rename(shard, shard, src_dir_fd=self._stage, dst_dir_fd=self._objects)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            # by its path: btrfs shows through a descriptor only what was there when it was opened
            for name in os.listdir(self.directory / shard):
                path = f"{shard}/{name}"
                os.rename(path, path, src_dir_fd=self._stage, dst_dir_fd=self._objects)

    def _write_small(self, checksum: str, attributes: Attributes, content: bytes | memoryview) -> str:
        path = self._place(f"{checksum}.file")
        if path:
            with contextlib.suppress(FileExistsError):
                descriptor = self._create(path, self._format.first_mode(attributes))
                self._new_files.append(checksum)
                try:
                    self._write_all(descriptor, content)
                    self._format.finish_file(descriptor, attributes)
                finally:
                    os.close(descriptor)
        return checksum

    def _write_large(
        self, hasher: "_Hash", attributes: Attributes, chunks: Iterable[bytes | memoryview]
    ) -> str:
        writing = f"writing-{next(self._large_files)}"
        with self._created(writing, self._format.first_mode(attributes)) as descriptor:
            for chunk in chunks:
                hasher.update(chunk)
                self._write_all(descriptor, chunk)
            self._format.finish_file(descriptor, attributes)
        checksum = hasher.hexdigest()
        path = self._place(f"{checksum}.file")
        if not path or files.is_there(path, self._stage):
            os.unlink(writing, dir_fd=self._stage)
        else:
            os.rename(writing, path, src_dir_fd=self._stage, dst_dir_fd=self._stage)
            self._new_files.append(checksum)
        return checksum

    def _write_metadata(self, kind: str, content: bytes) -> str:
        checksum = hashlib.sha256(content).hexdigest()
        path = self._place(f"{checksum}.{kind}")
        if path:
            with contextlib.suppress(FileExistsError), self._created(path) as descriptor:
                self._write_all(descriptor, content)
                os.fchmod(descriptor, 0o644)
        return checksum

    def _place(self, name: str) -> str | None:
        """Return where in the stage an object goes, None when the repo has it."""
        path = path_in_objects(name)
        shard = path[:2]
        if shard in self._repo_shards and os.access(
            path, os.F_OK, dir_fd=self._objects, follow_symlinks=False
        ):
            return None
        if shard not in self._shards:
            os.mkdir(shard, dir_fd=self._stage)
            self._shards.add(shard)
        return path

    @contextlib.contextmanager
    def _created(self, name: str, mode: int = 0o600) -> Iterator[int]:
        descriptor = self._create(name, mode)
        self._new.append(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _create(self, name: str, mode: int) -> int:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=self._stage)

    def _write_all(self, descriptor: int, content: bytes | memoryview) -> None:
        self._write_behind.written(len(content))
        written = os.write(descriptor, content)
        while written < len(content):
            content = content[written:]
            written = os.write(descriptor, content)


@contextlib.contextmanager
def object_stage(repo: Path, mode: Mode, *, labels: Labels | None = None) -> Iterator[ObjectStage]:
    """Give a fresh stage and remove it in the end; what was not published is dropped.

    What is made in it inherits the SELinux label of images from it.
    """
    with (
        repo_scratch(repo) as scratch,
        files.opened_directory(repo / "objects") as objects,
        write_behind(repo) as behind,
    ):
        give_label(scratch.descriptor, (labels or host_labels()).of_images())
        yield ObjectStage(mode, scratch, objects, behind)


def repo_scratch(repo: Path) -> contextlib.AbstractContextManager[Scratch]:
    """Give a directory on the repo's file system, which the next import removes when we are killed."""
    return scratch_directory(repo / "tmp", _PREFIX)


def remove_stale_stages(repo: Path) -> None:
    """Free what imports that were killed left behind."""
    remove_abandoned(repo / "tmp", _PREFIX)


def _file_path(checksum: str) -> str:
    return path_in_objects(f"{checksum}.file")


def _file_header(attributes: Attributes) -> bytes:
    mode = stat.S_IFREG | attributes.mode
    if attributes.xattrs:
        return encode_header(attributes.uid, attributes.gid, mode, "", attributes.xattrs)
    return _plain_header(attributes.uid, attributes.gid, mode)


@functools.lru_cache(maxsize=1000)
def _plain_header(uid: int, gid: int, mode: int) -> bytes:
    return encode_header(uid, gid, mode, "", ())
