"""A tree of the repo as a directory: its files are hard links of the objects.

libostree does the same, and takes more than twice the time for it (docs/PERFORMANCE.md).
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.ostree.formats import kept_symlink, kept_xattrs
from os_containers.ostree.objects import IMPLIED_CHECKSUM, path_in_objects, read_dirmeta
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import Dirmeta
from os_containers.paths import Mode
from os_containers.selinux import give_label

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def link_tree(repo: Path, mode: Mode, root: Directory, target: Path, *, label: bytes | None = None) -> None:
    """Create a directory with all that is in a tree, whose objects are there; it is not durable yet.

    All directories have the SELinux label, if one is given; the files are the repo's.
    """
    target.mkdir(mode=0o700)
    give_label(str(target), label)
    with _linker(repo, mode) as linker, files.opened_directory(target, os.O_PATH) as top:
        for path, directory in _paths(root):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
            try:
                linker.fill(descriptor, directory)
            finally:
                os.close(descriptor)


def link_file(repo: Path, mode: Mode, checksum: str, place: Path) -> None:
    """Create a file or symlink of a tree where there is none; it is not durable yet."""
    with _linker(repo, mode) as linker, files.opened_directory(place.parent, os.O_PATH) as parent:
        linker.place(checksum, place.name, parent)


def give_attributes(repo: Path, mode: Mode, directory: Directory, place: Path) -> None:
    """Give a directory the owner, mode and xattrs that it has in a tree."""
    # who may not read it could not open it
    place.chmod(stat.S_IRWXU)
    with _linker(repo, mode) as linker, files.opened_directory(place) as descriptor:
        linker.finish(descriptor, directory)


@contextlib.contextmanager
def _linker(repo: Path, mode: Mode) -> Iterator["_SystemLinker"]:
    with files.opened_directory(repo / "objects", os.O_PATH) as objects:
        yield _SystemLinker(repo, objects) if mode is Mode.SYSTEM else _UserLinker(repo, objects)


def _paths(root: Directory) -> Iterator[tuple[str, Directory]]:
    """Yield all directories with their paths, parents first."""
    pending = [(".", root)]
    while pending:
        path, directory = pending.pop()
        yield path, directory
        pending.extend((f"{path}/{name}", inner) for name, inner in directory.directories.items())


class _SystemLinker:
    """Fills directories from a bare repo, where files are what they should be."""

    def __init__(self, repo: Path, objects: int) -> None:
        self._repo = repo
        self._objects = objects
        self._metas: dict[str, Dirmeta] = {}

    def fill(self, descriptor: int, directory: Directory) -> None:
        """Give a directory its files and empty directories, then its own attributes: nothing comes after."""
        for name, checksum in directory.files.items():
            self.place(checksum, name, descriptor)
        for name in directory.directories:
            os.mkdir(name, 0o700, dir_fd=descriptor)
        self.finish(descriptor, directory)
        os.utime(descriptor, (0, 0))

    def place(self, checksum: str, name: str, descriptor: int) -> None:
        """Create one file or symlink in an open directory."""
        self._place(path_in_objects(f"{checksum}.file"), name, descriptor)

    def finish(self, descriptor: int, directory: Directory) -> None:
        """Give an open directory its own attributes."""
        self._finish(descriptor, self._meta(directory.meta or IMPLIED_CHECKSUM))

    def _place(self, source: str, name: str, descriptor: int) -> None:
        try:
            os.link(source, name, src_dir_fd=self._objects, dst_dir_fd=descriptor, follow_symlinks=False)
        except OSError as error:
            # ext4 takes 65,000 links of one file: an empty one of many deployments may have them
            if error.errno != errno.EMLINK:
                raise
            self._copy(source, name, descriptor)

    def _copy(self, source: str, name: str, descriptor: int) -> None:
        try:
            original = os.open(source, _READ, dir_fd=self._objects)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            self._copy_symlink(source, name, descriptor)
            return
        with os.fdopen(original, "rb") as content:
            copy = os.open(name, _CREATE, 0o600, dir_fd=descriptor)
            with os.fdopen(copy, "wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                self._copy_attributes(original, copy)
                os.utime(copy, (0, 0))

    def _copy_symlink(self, source: str, name: str, descriptor: int) -> None:
        status = os.stat(source, dir_fd=self._objects, follow_symlinks=False)
        os.symlink(os.readlink(source, dir_fd=self._objects), name, dir_fd=descriptor)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=descriptor, follow_symlinks=False)

    def _copy_attributes(self, original: int, copy: int) -> None:
        status = os.fstat(original)
        # in this order: a change of owner clears setuid and capabilities
        os.fchown(copy, status.st_uid, status.st_gid)
        for attribute, value in kept_xattrs(original):
            os.setxattr(copy, attribute, value)
        os.fchmod(copy, stat.S_IMODE(status.st_mode))

    def _finish(self, descriptor: int, meta: Dirmeta) -> None:
        os.fchown(descriptor, meta.uid, meta.gid)
        for attribute, value in meta.xattrs:
            os.setxattr(descriptor, attribute, value)
        os.fchmod(descriptor, stat.S_IMODE(meta.mode))

    def _meta(self, checksum: str) -> Dirmeta:
        if checksum not in self._metas:
            self._metas[checksum] = read_dirmeta(self._repo, checksum)
        return self._metas[checksum]


class _UserLinker(_SystemLinker):
    """Fills directories from a bare-user repo, where all belongs to the user, and symlinks are files."""

    def _place(self, source: str, name: str, descriptor: int) -> None:
        target = kept_symlink(f"/proc/self/fd/{self._objects}/{source}")
        if target is None:
            super()._place(source, name, descriptor)
        else:
            os.symlink(target, name, dir_fd=descriptor)

    def _copy_attributes(self, original: int, copy: int) -> None:
        os.fchmod(copy, stat.S_IMODE(os.fstat(original).st_mode))

    def _finish(self, descriptor: int, meta: Dirmeta) -> None:
        os.fchmod(descriptor, stat.S_IMODE(meta.mode))
