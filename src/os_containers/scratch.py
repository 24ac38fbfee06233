"""Directories for work in progress, which everybody can tell from what a killed command left.

    PARENT/PREFIX-XXXXXXXX/    its flock says that somebody works in it

The lock is on the directory itself, and the kernel frees it however we end. Why not locks.locked: that needs
a lock file, and there is no good place for one in a directory that is removed while it is held, nor beside a
repo that does not exist yet. Whoever waits here does so for moments only, so there is no timeout.
"""

import contextlib
import fcntl
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers import files, trees
from os_containers.errors import BusyError
from os_containers.faults import tidied_later

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scratch:
    """A directory of one's own, and the descriptor whose inheritors keep it, too."""

    path: Path
    descriptor: int


@contextlib.contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Scratch]:
    """Give a new directory that only its owner can enter; what is in it at the end is removed.

    What cannot be removed is told, and is no failure of the work that was done there.
    """
    with contextlib.ExitStack() as undo:
        with locked_directory(parent):
            with _told_only(parent):
                _remove_abandoned(parent, prefix, lambda one: f"{work_of(one)}-" == prefix)
            directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            try:
                descriptor = undo.enter_context(locked_directory(directory))
            except BaseException:
                directory.rmdir()
                raise
            undo.callback(_remove_or_tell, directory)
        yield Scratch(directory, descriptor)


def work_of(directory: Path) -> str:
    """Return what a directory is for: its prefix without the dash."""
    # what mkdtemp adds has none
    return directory.name.rpartition("-")[0]


def remove_abandoned(
    parent: Path, prefix: str = "", *, let_go: Callable[[Path], bool] = lambda _: True
) -> None:
    """Remove the directories, and the files, in which nobody works any more, as far as let_go says."""
    if parent.is_dir():
        with locked_directory(parent):
            _remove_abandoned(parent, prefix, let_go)


def find_abandoned(parent: Path, prefix: str = "") -> list[Path]:
    """Return what remove_abandoned would remove."""
    if not parent.is_dir():
        return []
    with locked_directory(parent):
        return [one for one in parent.glob(f"{prefix}*") if is_abandoned(one)]


@contextlib.contextmanager
def locked_directory(directory: Path, flags: int = 0) -> Iterator[int]:
    """Hold a directory; with LOCK_NB, raise BlockingIOError when another process holds it."""
    with files.opened_directory(directory) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
        yield descriptor


def _remove_abandoned(parent: Path, prefix: str, let_go: Callable[[Path], bool]) -> None:
    for one in parent.glob(f"{prefix}*"):
        if not one.is_dir() or one.is_symlink():
            one.unlink()
            continue
        with contextlib.suppress(BlockingIOError, FileNotFoundError), locked_directory(one, fcntl.LOCK_NB):
            if let_go(one):
                trees.remove_tree(one)


def _remove_or_tell(directory: Path) -> None:
    with _told_only(directory):
        trees.remove_tree(directory)


@contextlib.contextmanager
def _told_only(directory: Path) -> Iterator[None]:
    try:
        yield
    except (BusyError, OSError) as error:
        logger.warning("warning: %s: %s", directory, tidied_later(error))


def is_abandoned(one: Path) -> bool:
    """Tell whether nobody works in a directory any more; a file is nobody's."""
    try:
        with locked_directory(one, fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False
    except NotADirectoryError:
        return True
    except FileNotFoundError:
        return False  # its owner has just removed it
