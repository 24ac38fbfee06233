"""Trees of directories: what is mounted in them, and how they are removed, whatever they hold."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from os_containers import process
from os_containers.errors import BusyError, SystemFaultError
from os_containers.files import temporary_name
from os_containers.subids import entered, find_user_ids

# So long that another name of 255 bytes still makes a path that Linux takes (4096 bytes with the NUL).
_LONG_PATH = 3800


def remove_tree(tree: Path) -> None:
    """Remove a directory tree, also where directories are not writable.

    What the containers of an ordinary user wrote as one of his subordinate ids goes, too. Raises BusyError,
    and removes nothing, when something is mounted in it.
    """
    refuse_mounts(tree)
    try:
        _remove(tree)
    except PermissionError:
        if not _remove_as_all_users(tree):
            raise


def _remove_as_all_users(tree: Path) -> bool:
    """Remove a tree where an ordinary user is root over his subordinate ids; tell whether he could."""
    ids = find_user_ids(os.geteuid(), os.getegid())
    if os.geteuid() == 0 or not ids.subuids:
        return False
    command = [*entered(ids), "rm", "--recursive", "--force", "--", os.fspath(tree)]
    try:
        return process.run(command, check=False).returncode == 0
    except SystemFaultError:
        return False


def _remove(tree: Path) -> None:
    directories = [tree]
    for directory in directories:
        directory.chmod(stat.S_IRWXU)
        for entry in list(os.scandir(directory)):
            if entry.is_dir(follow_symlinks=False):
                inner = Path(entry.path)
                directories.append(inner if len(entry.path) < _LONG_PATH else _moved_up(inner, tree))
            else:
                Path(entry.path).unlink()
    for directory in reversed(directories):
        directory.rmdir()


def _moved_up(directory: Path, tree: Path) -> Path:
    """Return the new place of a directory that is too deep for its names to be used as paths."""
    directory.chmod(stat.S_IRWXU)
    return directory.rename(temporary_name(tree / "deep"))


def refuse_mounts(tree: Path) -> None:
    """Raise BusyError when something is mounted at or beneath a directory, be it of the same file system."""
    top = tree.resolve()
    for _, mounted in mounts():
        if mounted.is_relative_to(top):
            raise BusyError(f"something is mounted at {mounted}", hint=f"umount {mounted}, then try again")


def mounts() -> Iterator[tuple[Path, Path]]:
    """Yield what is mounted, as its path in its own file system, and where."""
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        # proc_pid_mountinfo(5): the fourth and fifth field, with blanks and the like in octal
        root, point = (
            Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field))
            for field in line.split(" ")[3:5]
        )
        yield root, point
