"""A blob as it comes through the proxy's pipe.

skopeo closes its end only when it is asked to finish, so the end of a blob is where its declared size says;
and a transfer that broke off is told only then. So when a pipe stays silent, it is asked to finish while we
go on reading: that ends either the wait or the transfer.
"""

import contextlib
import fcntl
import io
import os
import select
import threading
from collections.abc import Callable

from os_containers.errors import RegistryError, SystemFaultError

# Seconds of silence before the proxy is asked what is wrong.
SILENCE = 2.0
_PIPE_SIZE = 1 << 20


class BlobPipe(io.RawIOBase):
    """The read end of a pipe, of which at most size bytes are read."""

    def __init__(
        self,
        descriptor: int,
        size: int,
        *,
        image: str,
        stalled_after: float,
        on_silence: Callable[[], None],
        on_early_end: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        # by which close() ends a read() that waits in another thread
        self._closing = self._wake_up()
        # fewer and larger pieces; what is no pipe, or not allowed to a user, stays as it is
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._left = size
        self._image = image
        self._stalled_after = stalled_after
        self._on_silence = on_silence
        self._on_early_end = on_early_end
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll.register(self._closing, select.POLLIN)
        self._reading = threading.Lock()

    def _wake_up(self) -> int:
        try:
            return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError:
            # python closes what was never made, too
            os.close(self._descriptor)
            super().close()
            raise

    def readable(self) -> bool:
        return True

    def read(self, n: int = -1, /) -> bytes:
        """Return what has arrived, up to n bytes; nothing at the end. Raises RegistryError when it stalls."""
        with self._reading:
            return self._read_some(self._left if n < 0 else min(n, self._left))

    def close(self) -> None:
        """Close our end; whoever still writes learns it, and a read() in another thread ends."""
        if not self.closed:
            os.eventfd_write(self._closing, 1)
            with self._reading:
                os.close(self._descriptor)
                os.close(self._closing)
                super().close()

    def _read_some(self, wanted: int) -> bytes:
        if not wanted:
            return b""
        self._wait()
        piece = self._read(wanted)
        if not piece:
            self._on_early_end()
        self._left = self._left - len(piece) if piece else 0
        return piece

    def _read(self, wanted: int) -> bytes:
        try:
            return os.read(self._descriptor, wanted)
        except OSError as error:
            raise SystemFaultError(
                f"{self._image}: cannot read what skopeo passed: {error.strerror}"
            ) from error

    def _wait(self) -> None:
        """Wait for something to read."""
        silence = min(SILENCE, self._stalled_after)
        if self._has_come(silence):
            return
        self._on_silence()
        if not self._has_come(self._stalled_after - silence):
            raise RegistryError(
                f"{self._image}: nothing arrived for {self._stalled_after:g} seconds", hint="try again later"
            )

    def _has_come(self, timeout: float) -> bool:
        if self.closed:
            raise _closed(self._image)
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout * 1000)}
        if self._closing in ready:
            raise _closed(self._image)
        return bool(ready)


def _closed(image: str) -> SystemFaultError:
    return SystemFaultError(f"{image}: the transfer was stopped")
