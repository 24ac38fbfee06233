"""The host's files, reached directory by directory with descriptors: nobody can put a link in our way.

A link above a file is followed once, when its real path is looked up, and only where just root can have made
it: usr-merge's /lib, or /var/run. From then on that real path is walked, and a link in it is a conflict.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from os_containers.deployment.exports import FileKind
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.host.walk import Walk, no_directory
from os_containers.selinux import Labels, host_labels

_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# what readlink(2), open(2) and read(2) answer when a name has become that of another kind of file
_ANOTHER_KIND = frozenset({errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENXIO})


@dataclass(frozen=True, slots=True)
class HostRoot:
    """Where the host's files are; a path of the host is absolute and starts here.

    distrusted are links that images brought: root owns them, but did not choose where they go. labels are
    those that SELinux has for its paths.
    """

    path: Path = Path("/")
    distrusted: frozenset[str] = frozenset()
    labels: Labels = field(default_factory=host_labels)

    def distrusting(self, links: Iterable[str]) -> "HostRoot":
        """Return the same root, where these paths are never followed as links."""
        return replace(self, distrusted=self.distrusted.union(links))

    def real_path(self, path: str) -> str:
        """Return where a path really is, by following trusted links above it; its own name is not followed.

        Raises ConflictError for a link above it that others than root may have made.
        """
        parent, _, name = path.rpartition("/")
        return str(PurePosixPath(self.real_directory(parent or "/"), name))

    def real_directory(self, path: str) -> str:
        """Return the real path of a directory, which may be missing; its own name is followed, too.

        Raises ConflictError for a link that is not to be trusted, and for what is no directory.
        """
        with Walk(self.path, self.distrusted) as walk:
            walk.go(path)
            return walk.where

    @contextlib.contextmanager
    def directory(self, path: str) -> Iterator[int]:
        """Yield a descriptor of a directory at a real path.

        Raises FileNotFoundError when it is missing, ConflictError when a link or another file is in the way.
        """
        descriptor = os.open(self.path, os.O_RDONLY | _DIRECTORY)
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, descriptor)
            way = PurePosixPath("/")
            for part in PurePosixPath(path).parts[1:]:
                way /= part
                descriptor = _open_directory(part, descriptor, way)
                opened.callback(os.close, descriptor)
            yield descriptor

    def existing_directory(self, path: str) -> str:
        """Return the directory at a real path, or the nearest one above that is there."""
        directory = PurePosixPath(path)
        for one in (directory, *directory.parents):
            with contextlib.suppress(FileNotFoundError), self.directory(str(one)):
                return str(one)
        return "/"

    def find(self, path: str) -> InstalledFile | None:
        """Return what is at a real path, None for nothing. Raises ConflictError for a device or a socket."""
        directory, _, name = path.rpartition("/")
        try:
            with self.directory(directory or "/") as descriptor:
                return find_at(name, descriptor, path)
        except FileNotFoundError:
            return None


def find_at(name: str, directory_fd: int, path: str) -> InstalledFile | None:
    """Return what has a name in an open directory, as it would be recorded for path; None for nothing.

    Raises ConflictError for a device, a pipe or a socket, and for what is replaced while we look.
    """
    try:
        return _look_at(name, directory_fd, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _ANOTHER_KIND:
            raise
        raise ConflictError(
            f"{path} is being replaced", hint=f"find out what replaces {path}, then try again"
        ) from error


def _look_at(name: str, directory_fd: int, path: str) -> InstalledFile:
    status = os.lstat(name, dir_fd=directory_fd)
    attributes = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    match stat.S_IFMT(status.st_mode):
        case stat.S_IFREG:
            return InstalledFile(path, FileKind.FILE, _checksum(name, directory_fd), *attributes)
        case stat.S_IFLNK:
            target = os.fsencode(os.readlink(name, dir_fd=directory_fd))
            return InstalledFile(path, FileKind.SYMLINK, hashlib.sha256(target).hexdigest(), *attributes)
        case stat.S_IFDIR:
            return InstalledFile(path, FileKind.DIRECTORY, "", *attributes)
        case _:
            raise ConflictError(
                f"{path} is a device, a pipe or a socket", hint=f"move {path} away, then try again"
            )


def open_file_at(name: str, directory_fd: int) -> int:
    """Open a file of an open directory for reading; a link is not followed, a pipe does not make us wait."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=directory_fd)


def _checksum(name: str, directory_fd: int) -> str:
    with os.fdopen(open_file_at(name, directory_fd), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_directory(part: str, directory_fd: int, way: PurePosixPath) -> int:
    try:
        return os.open(part, os.O_RDONLY | _DIRECTORY, dir_fd=directory_fd)
    except NotADirectoryError as error:
        if stat.S_ISLNK(os.lstat(part, dir_fd=directory_fd).st_mode):
            raise ConflictError(
                f"{way} has become a symlink", hint=f"find out what replaced {way}, then try again"
            ) from error
        raise no_directory(way) from error
