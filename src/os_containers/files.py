"""Files, links and directories, safely: whole or not at all, and durable."""

import contextlib
import ctypes
import errno
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from os_containers.errors import BrokenError

# the standard library has no syncfs
_libc = ctypes.CDLL(None, use_errno=True)

TEMPORARY_PREFIX = ".os-containers-"

# what rmdir(2) answers for a directory that is not ours alone any more: something is in it, mounted on it, or
# in its place, or somebody has taken our permission
_NOT_OURS = frozenset({
    errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR, errno.EACCES, errno.EPERM
})  # fmt: skip


def no_directory(path: Path) -> BrokenError:
    """Return the error for what has come where one of our directories belongs, or one above it."""
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    return BrokenError(f"{there} is not a directory", hint=f"move {there} away, then try again")


def fsync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    with opened_directory(directory) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def opened_directory(directory: Path, access: int = os.O_RDONLY) -> Iterator[int]:
    """Give the descriptor of a directory; with O_PATH, one from which names are looked up and no more."""
    descriptor = os.open(directory, access | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Make everything on the file system of path durable; one call for a whole tree (syncfs(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_file_system_of(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system_of(descriptor: int) -> None:
    """Do the same for the file system of an open file; OSError also for what was lost since it was opened."""
    if _libc.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def is_there(name: str, directory_fd: int | None = None) -> bool:
    """Say whether a directory has a name, be it of a dangling symlink."""
    try:
        os.lstat(name, dir_fd=directory_fd)
    except FileNotFoundError:
        return False
    return True


def entries_beneath(top: Path, *, levels: int) -> list[Path]:
    """Return what is so many names beneath a directory, sorted, whatever it is; nothing without one.

    What is no directory and comes earlier is returned, too. Raises OSError for a directory that cannot be
    read, which Path.glob passes over as if it were empty.
    """
    found = _entries(top)
    for _ in range(levels - 1):
        found = [entry for one in found for entry in (_entries(one) if _is_own_directory(one) else [one])]
    return sorted(found)


def _is_own_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def temporary_name(path: Path) -> Path:
    """Return an unused name beside path, on the same file system; it tells for which path it is."""
    return path.with_name(f"{TEMPORARY_PREFIX}{path.name}@{os.urandom(8).hex()}")


def leftover_temporaries(path: Path) -> list[Path]:
    """Return the temporary names that killed writers of path left beside it."""
    return list(path.parent.glob(f"{TEMPORARY_PREFIX}{glob.escape(path.name)}@*"))


def write_atomic(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace path by content in one step, durably."""
    with written_beside(path, content, mode=mode) as temporary:
        temporary.rename(path)
    fsync_directory(path.parent)


@contextlib.contextmanager
def written_beside(path: Path, content: bytes, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a whole and durable file that the caller renames to path; after an error it is gone."""
    temporary = temporary_name(path)
    with _removed_on_failure(temporary):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file, _named(path):
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield temporary


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error about a descriptor say whose it is."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def symlink_atomic(path: Path, target: str) -> None:
    """Point the symlink path at target in one step, durably; a reader never sees it missing."""
    point(path, target)
    fsync_directory(path.parent)


def point(path: Path, target: str) -> None:
    """Point the symlink path at target in one step; a power cut may still undo it."""
    temporary = temporary_name(path)
    with _removed_on_failure(temporary):
        temporary.symlink_to(target)
        temporary.rename(path)


def unlink_durable(path: Path) -> None:
    """Remove a name, durably; a name that is not there is fine."""
    path.unlink(missing_ok=True)
    fsync_directory(path.parent)


def remove_if_empty(directory: Path) -> bool:
    """Remove a directory, durably, unless there is something in it; say whether it is gone."""
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            raise
        return error.errno == errno.ENOENT
    fsync_directory(directory.parent)
    return True


def remove_unless_needed(directory: str, *, directory_fd: int | None = None) -> bool:
    """Remove a directory of the host unless somebody else needs it; say whether it is gone.

    Raises OSError when the host fails us.
    """
    try:
        os.rmdir(directory, dir_fd=directory_fd)
    except OSError as error:
        # a read-only place answers that it is one, also when nothing is there
        if not is_there(directory, directory_fd):
            return True
        if error.errno in _NOT_OURS:
            return False
        raise
    return True


def make_directory(directory: Path, *, mode: int = 0o755) -> list[Path]:
    """Create a directory and its missing parents, durably; return those created, outermost first.

    The mode is the directory's own; parents get 0755.
    """
    missing = [one for one in (directory, *directory.parents) if not os.path.lexists(one)]
    created = []
    for one in reversed(missing):
        # another command may make it at the same time
        with contextlib.suppress(FileExistsError):
            one.mkdir()
            one.chmod(mode if one == directory else 0o755)
            fsync_directory(one.parent)
            created.append(one)
    return created


@contextlib.contextmanager
def in_memory(content: bytes) -> Iterator[tuple[Path, int]]:
    """Give a path at which a program that inherits the descriptor reads the content; nothing is on disk."""
    with os.fdopen(os.memfd_create("os-containers"), "wb", buffering=0) as file:
        file.write(content)
        yield Path(f"/proc/self/fd/{file.fileno()}"), file.fileno()


@contextlib.contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
