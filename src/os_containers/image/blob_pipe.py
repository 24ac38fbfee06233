"""A blob as it comes through the proxy's pipe.

skopeo closes its end only when it is asked to finish, so the end of a blob is where its declared size says;
and a transfer that broke off is told only then. So when a pipe stays silent, it is asked to finish while we
go on reading: that ends either the wait or the transfer.
"""

import io
import os
import select
from collections.abc import Callable

from os_containers.errors import RegistryError, SystemFaultError

# Seconds of silence before the proxy is asked what is wrong.
SILENCE = 2.0


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
        self._left = size
        self._image = image
        self._stalled_after = stalled_after
        self._on_silence = on_silence
        self._on_early_end = on_early_end
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def readable(self) -> bool:
        return True

    def read(self, n: int = -1, /) -> bytes:
        """Return what has arrived, up to n bytes; nothing at the end. Raises RegistryError when it stalls."""
        wanted = self._left if n < 0 else min(n, self._left)
        if not wanted:
            return b""
        self._wait()
        piece = self._read(wanted)
        if not piece:
            self._on_early_end()
        self._left = self._left - len(piece) if piece else 0
        return piece

    def close(self) -> None:
        """Close our end; whoever still writes learns it."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _read(self, wanted: int) -> bytes:
        try:
            return os.read(self._descriptor, wanted)
        except OSError as error:
            raise SystemFaultError(f"{self._image}: skopeo passed no pipe: {error.strerror}") from error

    def _wait(self) -> None:
        silence = min(SILENCE, self._stalled_after)
        if self._poll.poll(silence * 1000):
            return
        self._on_silence()
        if not self._poll.poll((self._stalled_after - silence) * 1000):
            raise RegistryError(
                f"{self._image}: nothing arrived for {self._stalled_after:g} seconds", hint="try again later"
            )
