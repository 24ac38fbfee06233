"""Where the program starts: the version is told before anything of the command line is loaded."""

import os
import sys

from os_containers.version import VERSION


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"] and _told(f"os-containers {VERSION}\n".encode()):
        return
    import signal  # noqa: PLC0415 - the version needs none

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # nothing is begun before the command line has its own: who interrupts us wants no traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from os_containers.cli.main import main as run  # noqa: PLC0415 - it takes four times as long

    run()


def _told(text: bytes) -> bool:
    try:
        return os.write(1, text) == len(text)
    except OSError:
        # the command line tries once more, and says what is wrong
        return False
