"""(c) Killed, and the recovery killed at its own calls, before it may run to its end."""

import random
import re
from collections.abc import Sequence

from torture.inside.command import Done, run
from torture.inside.judge import Judge
from torture.inside.kills import KILLED, chosen, finish, store_at_rest
from torture.inside.operation import Operation
from torture.inside.report import Tally
from torture.inside.snapshot import Snapshot
from torture.inside.trace import Point, last_line, list_points, with_fault

RECOVER = ("recover",)
# What changes the host; a kill at the others leaves the same states.
TELLING = frozenset(
    {"rename", "renameat2", "linkat", "symlink", "unlink", "rmdir", "mkdir", "fsync", "wait4"}
)


def torture(operation: Operation, *, sample: int, seed: int) -> None:
    """Kill an operation at its calls, and the recovery of each at all of its own, or at a sample of both."""
    judge = Judge(operation)
    tally = Tally("c", operation.name, "SIGKILL twice")
    if not judge.recovers:
        tally.finish(skipped="there is no recover")
        return
    judge.prepare()
    _, points = list_points(operation.words)
    rest = store_at_rest()
    firsts = [point for point in points if _tells(point)]
    for first in chosen(firsts, sample, seed) if sample else firsts:
        _recover_everywhere(judge, first, sample, random.Random(seed), tally)  # noqa: S311 - not a secret
    finish(tally, rest)


def _recover_everywhere(judge: Judge, first: Point, sample: int, source: random.Random, tally: Tally) -> None:
    """Kill the recovery of one state at each of its calls, or at some."""
    before, after = _killed(judge, first)
    _, seconds = list_points(RECOVER)
    tally.count(judge.after_kill(before, after), f"{first}, recovered", "")
    listed = [point for point in seconds if _tells(point)]
    for second in _some(listed, sample, source):
        before, after = _killed(judge, first)
        done = _killed_recovery(second)
        at = last_line()
        verdict = judge.after_kill(before, after)
        if done.code in KILLED:
            tally.count(verdict, f"{first}, then {second} of the recovery", at)


def _tells(point: Point) -> bool:
    # one file less in a tree that is built or thrown away is no other state
    is_inside = re.search(r"/\.(staging|trash)/[^/]+/deployment/(rootfs|host)/", point.line)
    return point.call in TELLING and not is_inside


def _killed(judge: Judge, first: Point) -> tuple[Snapshot, Snapshot]:
    before, after = judge.prepare()
    run(with_fault(first, "signal=SIGKILL", judge.operation.words))
    return before, after


def _killed_recovery(second: Point) -> Done:
    return run(with_fault(second, "signal=SIGKILL", RECOVER))


def _some(points: Sequence[Point], sample: int, source: random.Random) -> list[Point]:
    if not sample:
        return [*points]
    return sorted(source.sample(points, min(len(points), max(1, sample // 4))), key=points.index)
