"""Writing to the disk all along, so that the sync in the end has little left to wait for."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.errors import SystemFaultError
from os_containers.process import start_thread

# so many bytes may wait in memory
MOST = 64 << 20


class WriteBehind:
    """Is told what was written, and has the kernel bring it to the disk now and then."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self._directory = directory
        self._descriptor = descriptor
        self._waiting = 0
        # the sync that is under way, or was the last
        self._sync: threading.Thread | None = None

    def written(self, size: int) -> None:
        """Count so many bytes as written to memory."""
        self._waiting += size
        if self._waiting >= MOST and not (self._sync and self._sync.is_alive()):
            self._waiting = 0
            self._start()

    def finish(self) -> None:
        """Return when everything is durable; raises OSError when any of it was lost on the way."""
        self.wait()
        # opened before the first write: it hears of every error, also of one that a thread has met
        files.sync_file_system_of(self._descriptor)

    def wait(self) -> None:
        """Return when nothing goes on in the background."""
        if self._sync:
            self._sync.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        # without it the sync in the end takes longer, no more
        with contextlib.suppress(SystemFaultError):
            start_thread(thread)
            self._sync = thread

    def _work(self) -> None:
        # finish() tells what went wrong
        with contextlib.suppress(OSError):
            files.sync_file_system(self._directory)


@contextlib.contextmanager
def write_behind(directory: Path) -> Iterator[WriteBehind]:
    """Give one for the file system of a directory."""
    with files.opened_directory(directory) as descriptor:
        behind = WriteBehind(directory, descriptor)
        try:
            yield behind
        finally:
            behind.wait()
