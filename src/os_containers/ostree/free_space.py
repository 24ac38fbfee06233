"""What the file system of a repo has left for layers, and what is said when that is too little."""

import errno
import os
from pathlib import Path

from os_containers.errors import SystemFaultError
from os_containers.faults import next_step
from os_containers.image.compression import ByteStream

_FULL = {errno.ENOSPC, errno.EDQUOT}
_HINT = "free some space: os-containers images prune"


class FreeSpace:
    """Keeps an import from taking the reserve, which OSTree's configuration says (min-free-space-*)."""

    def __init__(self, path: Path, reserve: int) -> None:
        self._path = path
        self._reserve = reserve

    def watched(self, stream: ByteStream, what: str) -> ByteStream:
        """Return a stream of what is being written, that ends with SystemFaultError when space does."""
        return _Watched(self, stream, what)

    def require(self, what: str, needed: int) -> None:
        """Raise SystemFaultError unless more than the reserve is left; so much has been needed so far."""
        status = os.statvfs(self._path)
        free = status.f_bavail * status.f_frsize
        if free < self._reserve:
            raise SystemFaultError(
                f"{what} does not fit on the file system of {self._path}: it needs more than {needed} bytes, "
                f"{free} are free, and {self._reserve} of them are kept in reserve",
                hint=_HINT,
            )


class _Watched:
    def __init__(self, space: FreeSpace, stream: ByteStream, what: str) -> None:
        self._space = space
        self._stream = stream
        self._what = what
        self._read = 0

    def read(self, n: int, /) -> bytes:
        piece = self._stream.read(n)
        self._read += len(piece)
        if piece:
            self._space.require(self._what, self._read)
        return piece


def write_fault(path: Path, error: OSError) -> SystemFaultError:
    """Return the error for a write to the repo that failed, with what there is to do about it."""
    message = f"cannot write to the repo {path}: {error.strerror}"
    if error.errno in _FULL:
        status = os.statvfs(path)
        free = status.f_bavail * status.f_frsize
        return SystemFaultError(f"{message} ({free} bytes are free)", hint=_HINT)
    if error.errno == errno.ENOTSUP:
        return SystemFaultError(
            message,
            hint="its file system lacks extended attributes: name another place, with repo in config.toml"
            " or OSTREE_REPO",
        )
    return SystemFaultError(message, hint=next_step(error))
