"""A lock on a directory itself; the kernel frees it however we end.

Why not files.locked: that needs a lock file, and there is no good place for one in a stage, which is removed
while it is held, nor beside a repo that does not exist yet. Whoever waits here does so for moments only, so
there is no timeout.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked_directory(directory: Path, flags: int = 0) -> Iterator[None]:
    """Hold a directory; with LOCK_NB, raise BlockingIOError when another process holds it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(descriptor)
