"""What must stay of files that are not ours: bytes, mode, owner, xattrs, inode (I7)."""

import os
import stat
from pathlib import Path

Fingerprint = tuple[int, int, int, int, int, bytes, dict[str, bytes]]


def fingerprints(top: Path) -> dict[str, Fingerprint]:
    """Return those of a directory and of every file under it."""
    return {str(path): _fingerprint(path) for path in (top, *sorted(top.rglob("*")))}


def _fingerprint(path: Path) -> Fingerprint:
    status = path.lstat()
    content = b""
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = os.fsencode(path.readlink())
    xattrs = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in os.listxattr(path, follow_symlinks=False)
    }
    # when a directory was changed is no part of it: names come and go beside what is not ours
    changed = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    return status.st_ino, status.st_mode, status.st_uid, status.st_gid, changed, content, xattrs
