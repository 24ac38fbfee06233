"""Work ahead: one thread takes the pieces of a stream while another works on those before.

hashlib and the decompressors let go of the interpreter's lock, so both have a processor of their own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator

from os_containers.process import start_thread

# pieces that wait: enough to hide a pause of either side, a few MiB
_MOST = 8


@contextlib.contextmanager
def taken_ahead(pieces: Iterator[bytes], *, stop: Callable[[], object]) -> Iterator[Iterator[bytes]]:
    """Yield the same pieces, which a thread takes a few ahead; it is gone at the end.

    What it raises is raised where its piece would have been. stop() must end its wait for the next one.
    """
    queue = _Queue()
    thread = threading.Thread(target=queue.fill, args=(pieces,), daemon=True)
    start_thread(thread)
    try:
        yield queue.taken()
    finally:
        queue.close()
        stop()
        thread.join()


class _Queue:
    """Pieces on their way from one thread to another, never more than a few."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_over = False
        self._failure: BaseException | None = None

    def fill(self, pieces: Iterator[bytes]) -> None:
        """Put all pieces in, until nobody wants them any more."""
        try:
            for piece in pieces:
                if not self._put(piece):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            self._failure = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()

    def taken(self) -> Iterator[bytes]:
        """Yield the pieces; raise what ended them."""
        while (piece := self._take()) is not None:
            yield piece
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Let the other thread put no more in."""
        with self._changed:
            self._is_closed = True
            self._pieces.clear()
            self._changed.notify()

    def _put(self, piece: bytes) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._pieces) < _MOST or self._is_closed)
            self._pieces.append(piece)
            self._changed.notify()
            return not self._is_closed

    def _take(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._is_over)
            piece = self._pieces.popleft() if self._pieces else None
            self._changed.notify()
            return piece
