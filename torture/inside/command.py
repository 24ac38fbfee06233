"""Programs of the host, run to their end, with the time that they took."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

TIMEOUT = 120
ENDLESS = 124
# The order of a set must not move the points from run to run.
ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0", "G_DEBUG": "fatal-criticals"}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: minus the number of the signal that killed it, 124 when it did not end."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self) -> str:
        """All that it said, in one line."""
        return " | ".join((self.stdout + self.stderr).split("\n")).strip(" |")


def run(argv: Sequence[str]) -> Done:
    """Run a command and return how it ended; nothing that it left running keeps us waiting."""
    started = time.monotonic()
    # files, not pipes: what outlives a killed command holds its pipes open
    with _memory() as stdout, _memory() as stderr:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=ENVIRONMENT
        )
        code = _wait(child)
        return Done(code, _text(stdout), _text(stderr), time.monotonic() - started)


def ours(*words: str) -> Done:
    """Run os-containers."""
    return run(["os-containers", *words])


def must(*words: str) -> str:
    """Run a command that cannot fail here and return what it wrote; raise RuntimeError when it does."""
    done = run(words)
    if done.code != 0:
        raise RuntimeError(f"{' '.join(words)}: exit code {done.code}: {done.said}")
    return done.stdout


def has_command(name: str) -> bool:
    """Tell whether this version of os-containers has a command."""
    return ours(name, "--help").code == 0


def _wait(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return ENDLESS


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("said"), "w+b")


def _text(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
