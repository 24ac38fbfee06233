"""A command on a pseudo-terminal of its own, for programs that behave differently before people."""

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

END_OF_TRANSMISSION = b"\x04"


def run_on_terminal(
    argv: Sequence[str], *, typed: bytes = b"", timeout: float, size: tuple[int, int] = (24, 100)
) -> tuple[int, str]:
    """Return the exit code and all that appeared on the terminal; raise TimeoutError when it does not end."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            os.write(ours, typed)
            shown = _read_until_closed(ours, deadline=time.monotonic() + timeout)
        except TimeoutError:
            process.kill()
            raise
        finally:
            os.close(ours)
    return process.returncode, shown.decode(errors="replace")


def _read_until_closed(terminal: int, *, deadline: float) -> bytes:
    shown = bytearray()
    # the kernel answers EIO when the last process on the other side has gone
    with contextlib.suppress(OSError):
        while True:
            if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"still running; the terminal shows {bytes(shown)!r}")
            piece = os.read(terminal, 65536)
            if not piece:
                break
            shown += piece
    return bytes(shown)
