"""Trees of directories: what is mounted in them, and how they are removed, whatever they hold."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from os_containers.errors import BusyError
from os_containers.files import temporary_name

# So long that another name of 255 bytes still makes a path that Linux takes (4096 bytes with the NUL).
_LONG_PATH = 3800


def remove_tree(tree: Path) -> None:
    """Remove a directory tree, also where directories are not writable.

    Raises BusyError, and removes nothing, when something is mounted in it.
    """
    refuse_mounts(tree)
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
