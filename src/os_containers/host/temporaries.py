"""Names on the host that are ours only for a moment, and what becomes of those that a killed command left.

/etc/app/.os-containers-NAME@HEX   a new version that waits, or an old one that is being looked at

HEX starts with what the file's path hashes to, so that one knows where it belongs. No container has an @ in
its name.
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from os_containers import files
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.host import renames
from os_containers.host.file_steps import UNFINISHED
from os_containers.host.host_root import HostRoot, find_at

_HASH_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Version:
    """The content of a file, wherever it is."""

    kind: FileKind
    checksum: str

    @classmethod
    def of(cls, file: HostFile | InstalledFile) -> "Version":
        return cls(file.kind, file.checksum)


def temporary_for(container: str, path: str) -> str:
    """Return a new name for what belongs to a real path, to stand beside it."""
    return f"{files.TEMPORARY_PREFIX}{container}@{_hash(path)}{os.urandom(4).hex()}"


def remove_temporaries(
    container: str,
    installed: Iterable[HostFile | InstalledFile],
    *,
    needed: Collection[str] = (),
    root: HostRoot | None = None,
) -> list[str]:
    """Remove what a killed command left beside the host files of a container; return what had to stay.

    installed are all files that the command may have put in place or taken away, of both deployments; needed
    are names that stay. What somebody else wrote, and we had just taken away to look at it, is put back.
    """
    root, installed = root or HostRoot(), list(installed)
    places, known = _places(installed, root), {Version.of(file) for file in installed}
    stayed = []
    for directory, name, path_hash in _found(container, places.values(), root):
        if name in needed:
            continue
        with root.directory(directory) as directory_fd:
            if not settle(name, directory_fd, places.get(path_hash), directory, known):
                stayed.append(str(PurePosixPath(directory, name)))
    return sorted(stayed)


def find_temporaries(
    container: str, installed: Iterable[HostFile | InstalledFile], *, root: HostRoot | None = None
) -> list[str]:
    """Return what a killed command left beside the host files of a container, and above them."""
    root = root or HostRoot()
    found = _found(container, _places(installed, root).values(), root)
    return sorted(str(PurePosixPath(directory, name)) for directory, name, _ in found)


def settle(
    name: str, directory_fd: int, path: str | None, directory: str, known: Collection[Version]
) -> bool:
    """Remove a temporary, or put it back where it was if its content is none of ours; say if it is gone."""
    if not files.is_there(name, directory_fd):
        return True
    if _is_ours(name, directory_fd, known):
        os.unlink(name, dir_fd=directory_fd)
    elif not _removed_as_empty(name, directory_fd) and (
        path is None or not _put_back(name, directory_fd, PurePosixPath(path), directory, known)
    ):
        return False
    os.fsync(directory_fd)
    return True


def _is_ours(name: str, directory_fd: int, known: Collection[Version]) -> bool:
    mode = os.lstat(name, dir_fd=directory_fd).st_mode
    return (stat.S_ISREG(mode) and stat.S_IMODE(mode) == UNFINISHED) or _is_known(name, directory_fd, known)


def _removed_as_empty(name: str, directory_fd: int) -> bool:
    """Say whether it was one: then it is gone."""
    try:
        os.rmdir(name, dir_fd=directory_fd)
    except OSError:
        return False
    return True


def _places(installed: Iterable[HostFile | InstalledFile], root: HostRoot) -> dict[str, str]:
    """Return the real paths of files by their hashes."""
    places = {}
    for file in installed:
        # what is behind a link now was not reached by the killed command either
        with contextlib.suppress(ConflictError):
            real = root.real_path(file.path)
            places[_hash(real)] = real
    return places


def _put_back(
    name: str, directory_fd: int, path: PurePosixPath, directory: str, known: Collection[Version]
) -> bool:
    if str(path.parent) != directory:
        return False
    if not files.is_there(path.name, directory_fd):
        renames.rename_to_free_name(name, path.name, old_fd=directory_fd, new_fd=directory_fd)
        return True
    if not _is_known(path.name, directory_fd, known):
        return False
    if not renames.exchange_names(name, path.name, directory_fd):
        return False
    os.unlink(name, dir_fd=directory_fd)
    return True


def _is_known(name: str, directory_fd: int, known: Collection[Version]) -> bool:
    try:
        found = find_at(name, directory_fd, name)
    except ConflictError:
        return False  # a device, a pipe or a socket
    # who made an empty directory cannot be told from its content
    return found is not None and found.kind is not FileKind.DIRECTORY and Version.of(found) in known


def _found(container: str, paths: Iterable[str], root: HostRoot) -> Iterator[tuple[str, str, str]]:
    """Yield directory, name and hash of a path for every temporary of a container."""
    pattern = re.compile(
        rf"{re.escape(files.TEMPORARY_PREFIX + container)}@([0-9a-f]{{{_HASH_LENGTH}}})[0-9a-f]*"
    )
    # a file waits above its directory as long as that is missing
    for directory in sorted({str(above) for path in paths for above in PurePosixPath(path).parents}):
        with contextlib.suppress(FileNotFoundError, ConflictError), root.directory(directory) as descriptor:
            for name in os.listdir(descriptor):  # noqa: PTH208 - of a descriptor
                if match := pattern.fullmatch(name):
                    yield directory, name, match[1]


def _hash(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:_HASH_LENGTH]
