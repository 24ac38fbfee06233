"""What a program takes: wall time, processor time, and memory."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from testhost.commands import CommandError

Command = Sequence[str | Path]
_FIRST_LOOK = 0.01
_SECONDS_BETWEEN_LOOKS = 0.1
_SAID = 200


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took: seconds, and bytes of the memory of all its processes, each at its peak."""

    wall: float
    processor: float = 0
    memory: float = 0
    # bytes by which the disk has grown, where a row looks at that
    growth: float = 0
    said: str = ""


def measure(command: Command, *, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a program to its end and return what it took; raise CommandError when it fails."""
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        peaks = _Peaks(child.pid)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
        memory = peaks.end()
    if child.returncode != 0:
        raise CommandError(f"{command}: exit code {child.returncode}\n{text}")
    return Usage(wall, used.ru_utime + used.ru_stime, memory, said=text[:_SAID])


def by_turns(rounds: int, contestants: Mapping[str, Callable[[], Usage]]) -> dict[str, list[Usage]]:
    """Return what each contestant took in each round; they alternate, so that all see the same machine."""
    taken: dict[str, list[Usage]] = {name: [] for name in contestants}
    for number in range(1, rounds + 1):
        for name, run in contestants.items():
            usage = run()
            taken[name].append(usage)
            memory = f", {usage.memory / 2**20:.0f} MiB" if usage.memory else ""
            print(
                f"  {number}/{rounds} {name}: {usage.wall:.3f} s, processor {usage.processor:.3f} s{memory}",
                flush=True,
            )
    return taken


def middle(usages: Sequence[Usage], read: Callable[[Usage], float] = lambda usage: usage.wall) -> float:
    """Return the median of one fact."""
    return median(read(usage) for usage in usages)


class _Peaks:
    """Watches the memory of all processes of a session.

    wait4 tells that of the largest alone, and counts what was ours before the program began. The kernel
    keeps the peak of each process, so that looking now and then is enough for what lives longer.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._peaks: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Return the sum of the peaks."""
        self._over.set()
        self._thread.join()
        return sum(self._peaks.values())

    def _watch(self) -> None:
        pause = _FIRST_LOOK
        while not self._over.wait(pause):
            for process in self._processes():
                peak = _peak_of(process)
                if peak:
                    self._peaks[process] = peak
            pause = min(2 * pause, _SECONDS_BETWEEN_LOOKS)

    def _processes(self) -> list[int]:
        found = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - often
        return [process for process in found if _session_of(process) == self._session]


def _session_of(process: int) -> int | None:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return None


def _peak_of(process: int) -> int | None:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    peaks = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024 if peaks else None
