"""Every file of a host, so that two moments can be compared."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What a running machine changes by itself.
NOT_LISTED = frozenset({
    "dev", "mnt", "proc", "run", "srv", "sys", "tmp",
    "etc/.updated", "etc/containers/certs.d", "var/.updated", "var/cache", "var/lib/systemd", "var/log",
    "var/tmp",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file is; content is the checksum of a regular file, the target of a symlink."""

    kind: str
    mode: str
    owner: tuple[int, int]
    content: str


def list_files(tree: Path) -> dict[str, FileState]:
    """Return every file of a host, by its absolute path in the host."""
    return {f"/{path.relative_to(tree)}": _state(path) for path in _walk(tree, tree)}


def differences(before: dict[str, FileState], after: dict[str, FileState]) -> list[str]:
    """Return one line per path that was added, removed or changed."""
    return sorted(
        [f"added {path}" for path in after.keys() - before.keys()]
        + [f"removed {path}" for path in before.keys() - after.keys()]
        + [f"changed {path}" for path in before.keys() & after.keys() if before[path] != after[path]]
    )


def _walk(directory: Path, tree: Path) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = Path(entry.path)
            if str(path.relative_to(tree)) in NOT_LISTED:
                continue
            yield path
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, tree)


def _state(path: Path) -> FileState:
    status = path.lstat()
    kind = stat.filemode(status.st_mode)[0]
    return FileState(
        kind, f"{stat.S_IMODE(status.st_mode):o}", (status.st_uid, status.st_gid), _content(path, status)
    )


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return str(path.readlink())
    if stat.S_ISREG(status.st_mode):
        return _checksum(str(path), status.st_ino, status.st_ctime_ns)
    return ""


# Most files are as they were the last time; inode and ctime tell.
@cache
def _checksum(path: str, inode: int, changed: int) -> str:  # noqa: ARG001 - the key of the cache
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
