"""Every file of a host, so that two moments can be compared."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What a running machine changes by itself, and where the registry of testhost keeps its images.
_NOT_LISTED = re.compile(
    r"/(dev|mnt|proc|sys|srv/registry"
    r"|etc/(\.updated|containers/certs\.d)"
    r"|run/(agetty\.reload|credentials|host|log|systemd|testhost-registry|user/\d+/(bus|gnupg|systemd))"
    r"|(var/)?tmp/systemd-private-[^/]+"
    r"|var/(\.updated|cache|lib/systemd|log))$"
)
# Directories that a runtime makes when it is asked for its containers, and never removes.
_NOT_LISTED_EMPTY = re.compile(r"/run/(user/\d+/)?(crun|runc)$")


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file is; content is the checksum of a regular file, the target of a symlink."""

    kind: str
    mode: str
    owner: tuple[int, int]
    content: str


def list_files(tree: Path) -> dict[str, FileState]:
    """Return every file of a host, by its absolute path in the host."""
    top = str(tree)
    return {path.removeprefix(top): _state(path) for path in _walk(top, top)}


def differences(before: dict[str, FileState], after: dict[str, FileState]) -> list[str]:
    """Return one line per path that was added, removed or changed."""
    return sorted(
        [f"added {path}" for path in after.keys() - before.keys()]
        + [f"removed {path}" for path in before.keys() - after.keys()]
        + [f"changed {path}" for path in before.keys() & after.keys() if before[path] != after[path]]
    )


def _walk(directory: str, top: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if _is_left_out(entry.path, entry.path.removeprefix(top)):
                continue
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, top)


def _is_left_out(path: str, name: str) -> bool:
    if _NOT_LISTED_EMPTY.match(name):
        return not any(Path(path).iterdir())
    return _NOT_LISTED.match(name) is not None


def _state(path: str) -> FileState:
    status = os.lstat(path)
    kind = stat.filemode(status.st_mode)[0]
    return FileState(
        kind, f"{stat.S_IMODE(status.st_mode):o}", (status.st_uid, status.st_gid), _content(path, status)
    )


def _content(path: str, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return str(Path(path).readlink())
    if stat.S_ISREG(status.st_mode):
        return _checksum(path, status.st_ino, status.st_ctime_ns)
    return ""


# Most files are as they were the last time; inode and ctime tell.
@cache
def _checksum(path: str, inode: int, changed: int) -> str:  # noqa: ARG001 - the key of the cache
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
