"""Programs of this machine, run to their end."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# All that a program starts dies with it, and it dies with us: an interrupted build stops building.
TOGETHER = (
    "setpriv", "--pdeathsig=SIGKILL", "--",
    "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
)  # fmt: skip


class CommandError(Exception):
    """A program failed; the message holds its command line and all that it said."""


def run(argv: Sequence[str | Path]) -> str:
    """Return what a program wrote to stdout; raise CommandError with its stderr when it fails."""
    words = [os.fspath(word) for word in argv]
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise CommandError(f"{' '.join(words)}: exit code {done.returncode}\n{said}")
    return done.stdout.decode(errors="replace")
