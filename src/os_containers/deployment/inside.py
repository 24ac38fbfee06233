"""What a path is to the processes of a container, as far as its rootfs tells; links lead where theirs do."""

import os
import stat
from collections.abc import Collection
from enum import Enum
from pathlib import Path, PurePosixPath

_MOST_LINKS = 40
_ROOT = PurePosixPath("/")


class Inside(Enum):
    """What is at a path; UNKNOWN in a mount, where the rootfs does not tell, and what we may not look at."""

    MISSING = "missing"
    DIRECTORY = "directory"
    OTHER = "other"
    UNKNOWN = "unknown"


def look_inside(rootfs: Path, path: PurePosixPath, mounts: Collection[str]) -> Inside:
    """Return what is at an absolute path."""
    given = [_from_root(mount) for mount in mounts]
    try:
        covered = [*given, *(_walk(rootfs, mount, [])[0] for mount in given)]
        return _walk(rootfs, _from_root(path), covered)[1]
    except OSError:
        return Inside.UNKNOWN


def _from_root(path: PurePosixPath | str) -> PurePosixPath:
    """Return an absolute path with one slash before it: two would be another root for Python."""
    return _ROOT / str(path).lstrip("/")


def _walk(
    rootfs: Path, path: PurePosixPath, covered: Collection[PurePosixPath]
) -> tuple[PurePosixPath, Inside]:
    """Return where a path leads, by no link as far as it is there, and what is there."""
    here, found, links = _ROOT, Inside.DIRECTORY, 0
    pending = list(reversed(path.relative_to(_ROOT).parts))
    while pending:
        name = pending.pop()
        here = here.parent if name == ".." else here / name
        if any(here.is_relative_to(one) for one in covered):
            return here, Inside.UNKNOWN
        place = Path(f"{rootfs}{here}")
        mode = _mode(place)
        if stat.S_ISLNK(mode) and links < _MOST_LINKS:
            links += 1
            target = _from_root(here.parent / place.readlink())
            here, pending = _ROOT, [*pending, *reversed(target.relative_to(_ROOT).parts)]
            continue
        found = _kind(mode)
        if found is not Inside.DIRECTORY:
            here = here.joinpath(*reversed(pending))
            return here, Inside.MISSING if pending else found
    return here, found


def _mode(path: Path) -> int:
    """Return the mode of what is there, 0 for nothing."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _kind(mode: int) -> Inside:
    if stat.S_ISDIR(mode):
        return Inside.DIRECTORY
    return Inside.OTHER if mode else Inside.MISSING
