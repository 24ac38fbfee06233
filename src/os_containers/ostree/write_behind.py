"""Writing to the disk all along, so that the sync in the end has little left to wait for."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.errors import SystemFaultError
from os_containers.process import start_thread

# so many bytes may wait in memory
_MOST = 64 << 20


class WriteBehind:
    """Is told what was written, and has the kernel bring it to the disk now and then."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self._directory = directory
        self._descriptor = descriptor
        self._waiting = 0
        self._wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None

    def written(self, size: int) -> None:
        """Count so many bytes as written to memory."""
        self._waiting += size
        if self._waiting >= _MOST:
            self._waiting = 0
            self._ask()

    def finish(self) -> None:
        """Return when everything is durable; raises OSError when any of it was lost on the way."""
        self.stop()
        # opened before the first write: it hears of every error, also of one that the thread has met
        files.sync_file_system_of(self._descriptor)

    def stop(self) -> None:
        """Return when nothing goes on in the background."""
        self._is_over = True
        self._wanted.set()
        if self._thread:
            self._thread.join()

    def _ask(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, daemon=True)
            # without it the sync in the end takes longer, no more
            with contextlib.suppress(SystemFaultError):
                start_thread(thread)
                self._thread = thread
        self._wanted.set()

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            # before looking: what is asked for from here on wakes us again
            self._wanted.clear()
            if self._is_over:
                return
            # finish() tells what went wrong
            with contextlib.suppress(OSError):
                files.sync_file_system(self._directory)


@contextlib.contextmanager
def write_behind(directory: Path) -> Iterator[WriteBehind]:
    """Give one for the file system of a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    behind = WriteBehind(directory, descriptor)
    try:
        yield behind
    finally:
        behind.stop()
        os.close(descriptor)
