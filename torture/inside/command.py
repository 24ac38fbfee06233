"""Programs of the host, run to their end, with the time that they took."""

import os
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

TIMEOUT = 120
ENDLESS = 124
# The order of a set must not move the points from run to run.
ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0", "G_DEBUG": "fatal-criticals"}
# Where the time goes: the seconds in each kind of command, and how many there were.
SPENT: defaultdict[str, float] = defaultdict(float)
CALLED: Counter[str] = Counter()


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
        done = Done(code, _text(stdout), _text(stderr), time.monotonic() - started)
    SPENT[_label(argv)] += done.seconds
    CALLED[_label(argv)] += 1
    return done


def ours(*words: str) -> Done:
    """Run os-containers."""
    return run(["os-containers", *words])


def must(*words: str) -> str:
    """Run a command that cannot fail here and return what it wrote; raise RuntimeError when it does."""
    done = run(words)
    if done.code != 0:
        raise RuntimeError(f"{' '.join(words)}: exit code {done.code}: {done.said}")
    return done.stdout


def take_times() -> dict[str, str]:
    """Return where the time went since the last call, the most first."""
    times = {label: f"{CALLED[label]} x {SPENT[label] / CALLED[label]:.2f} s" for label in _most_first()}
    SPENT.clear()
    CALLED.clear()
    return times


def _most_first() -> list[str]:
    return sorted(SPENT, key=lambda label: -SPENT[label])


def _label(argv: Sequence[str]) -> str:
    words = [word for word in argv if word.isalpha() or word == "os-containers"]
    prefix = "traced " if argv[0] == "strace" else ""
    return prefix + " ".join(
        words[words.index("os-containers") :][:3] if "os-containers" in words else words[:2]
    )


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
