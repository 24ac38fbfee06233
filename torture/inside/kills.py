"""(a) SIGKILL at every call of every operation."""

import random
import signal
from collections.abc import Sequence

from torture.inside.command import must, run
from torture.inside.judge import Judge, State, Verdict, fsck
from torture.inside.operation import Operation, untag_cargo
from torture.inside.report import Tally
from torture.inside.snapshot import Snapshot, difference, whole_store
from torture.inside.trace import CHANGING, Point, last_line, list_points, with_fault

KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
# Checking every object takes long; it is done at the end, too.
ROUNDS_PER_FSCK = 25


def torture(operation: Operation, *, sample: int, seed: int) -> None:
    """Kill an operation at each of its calls, or at a sample of them."""
    judge = Judge(operation)
    judge.prepare()
    _, listed = list_points(operation.words)
    points = [point for point in listed if point.writes]
    rest = store_at_rest()
    tally = Tally("a", operation.name, "SIGKILL")
    if sample:
        for point in chosen(points, sample, seed):
            kill_at(judge, point, tally)
    else:
        _kill_everywhere(judge, points, tally)
    finish(tally, rest, listed=len(points))


def kill_at(judge: Judge, point: Point, tally: Tally) -> bool:
    """Do one round; tell whether the operation came as far as the point."""
    before, after = judge.prepare()
    done = run(with_fault(point, "signal=SIGKILL", judge.operation.words))
    at = last_line()
    verdict = judge.after_kill(before, after)
    reached = done.code in KILLED
    if reached or verdict.state is State.THIRD:
        tally.count(verdict, str(point), at)
    if tally.points % ROUNDS_PER_FSCK == 0:
        for line in fsck():
            tally.wrong([line], str(point), at)
    return reached


def finish(tally: Tally, rest: Snapshot, *, listed: int = 0, note: str = "") -> None:
    """Check all objects and that nothing is left in the store (I19), and tell the result."""
    left = [f"store: {line}" for line in difference(rest, store_at_rest())]
    for line in [*fsck(), *left]:
        tally.count(Verdict(State.THIRD, [line]), "at the end", "")
    tally.finish(listed=listed, note=note)


def store_at_rest() -> Snapshot:
    """Return the store without anything that nobody needs."""
    untag_cargo()
    must("os-containers", "images", "prune")
    return whole_store()


def chosen(points: Sequence[Point], sample: int, seed: int) -> list[Point]:
    """Return some of the points, in their order."""
    some = random.Random(seed).sample(points, min(sample, len(points)))  # noqa: S311 - not a secret
    return sorted(some, key=points.index)


def _kill_everywhere(judge: Judge, points: Sequence[Point], tally: Tally) -> None:
    for call in dict.fromkeys(point.call for point in points):
        numbers = [point.number for point in points if point.call == call]
        for number in numbers:
            kill_at(judge, Point(call, number), tally)
        # the count is not the same in each run: on until the operation ends by itself
        number = numbers[-1] + 1
        while call in CHANGING and kill_at(judge, Point(call, number), tally):
            number += 1
