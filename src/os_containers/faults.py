"""Errors of system calls as errors of ours, each with a hint; and which say nothing about the file."""

import errno
import os
from pathlib import Path

from os_containers.errors import SystemFaultError

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

_HINTS = {
    errno.ENOSPC: "make room on its file system (df --human-readable), then try again",
    errno.EDQUOT: "the quota is used up: make room (quota --human-readable), then try again",
    errno.EROFS: "mount its file system writable, then try again",
    errno.EMFILE: "allow more open files (ulimit -n), then try again",
    errno.ENFILE: "the host has too many open files: raise sysctl fs.file-max, then try again",
    errno.ENOMEM: "free some memory, then try again",
    errno.EAGAIN: "allow more processes and threads (ulimit -u, TasksMax=), then try again",
    errno.EIO: "the disk may be failing: see journalctl --dmesg; os-containers repair fetches what was lost",
}


def is_exhaustion(error: Exception) -> bool:
    """Say whether the host ran out of something: that tells nothing about the file that was asked for."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def next_step(error: OSError) -> str:
    """Return what to do about an answer of the system."""
    return _HINTS.get(error.errno or 0, "check the disk and its permissions")


def next_step_in(said: str) -> str | None:
    """Return the same for another program's message that ends in such an answer, None without."""
    return next((hint for number, hint in _HINTS.items() if said.endswith(os.strerror(number))), None)


def in_words(error: BaseException) -> str:
    """Return what an error says; of a system call the path and what the system answered, not its number."""
    return system_fault(error).message if isinstance(error, OSError) else str(error)


def tidied_later(error: Exception) -> str:
    """Return the warning about what could not be tidied up: that is no failure of the change that left it."""
    return f"{in_words(error)}; the next command tries again to tidy up"


def system_fault(error: OSError, path: Path | None = None) -> SystemFaultError:
    """Return the error for what a system call answered, with the next step; path is what it was about."""
    where = path or error.filename
    fact = error.strerror or str(error)
    return SystemFaultError(
        f"{os.fsdecode(where)}: {fact}" if isinstance(where, str | bytes | Path) else fact,
        hint=next_step(error),
    )
