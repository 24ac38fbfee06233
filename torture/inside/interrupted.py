"""States that a killed operation leaves, one for each way in which the recovery then goes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torture.inside.command import run
from torture.inside.judge import Judge, State
from torture.inside.report import Tally
from torture.inside.snapshot import Snapshot
from torture.inside.trace import Point, list_points, with_fault

RECOVER = ("recover",)
# What changes the host; a kill at the others leaves the same states.
TELLING = frozenset(
    {"rename", "renameat2", "linkat", "symlink", "unlink", "rmdir", "mkdir", "fsync", "wait4"}
)
# They come with the others, and more or less often.
_ATTENDING = frozenset({"fsync", "wait4"})


@dataclass(frozen=True, slots=True)
class Interruption:
    """A kill of an operation at a point, what the recovery makes of it, and the calls of the recovery."""

    point: Point
    state: State
    calls: Sequence[Point]


def interruptions(judge: Judge, points: Iterable[Point], tally: Tally) -> list[Interruption]:
    """Kill an operation at each point, count how it is recovered, and return one kill for each way."""
    found: dict[object, Interruption] = {}
    for point in points:
        before, after = interrupt(judge, point)
        _, calls = list_points(RECOVER)
        verdict = judge.after_kill(before, after)
        tally.count(verdict, f"{point}, recovered", "")
        listed = [call for call in calls if tells(call)]
        changes = [call for call in listed if call.call not in _ATTENDING]
        # in no order: a directory lists its names in any
        way = (verdict.state, frozenset(_nameless(call.line) for call in changes))
        found.setdefault(way, Interruption(point, verdict.state, listed))
    return list(found.values())


def interrupt(judge: Judge, point: Point) -> tuple[Snapshot, Snapshot]:
    """Kill an operation at a point; return the states before it and after it."""
    before, after = judge.prepare()
    run(with_fault(point, "signal=SIGKILL", judge.operation.words))
    return before, after


def tells(point: Point) -> bool:
    """Tell whether another state is left when the program ends here."""
    # one file less in a tree that is built or thrown away is no other state
    is_inside = re.search(r"/\.(staging|trash)/[^/]+/deployment/(rootfs|host)/", point.line)
    return point.call in TELLING and not is_inside


def _nameless(line: str) -> str:
    """Return a call without the names and numbers that are others each time."""
    return re.sub(r"@[0-9a-f]{16}|(?<=-)[a-z0-9_]{8}(?=[/\">])|\d+", "N", line)
