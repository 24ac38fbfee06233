"""(c) Killed, and then the recovery killed, or met by an error, before it may run to its end."""

import random
from collections.abc import Callable, Iterable, Sequence

from torture.inside.command import Done, run
from torture.inside.errors import ERRORS, meets
from torture.inside.interrupted import RECOVER, Interruption, interrupt, interruptions, tells
from torture.inside.judge import Judge, State, Verdict, badly_told
from torture.inside.kills import KILLED, chosen, finish, store_at_rest
from torture.inside.operation import Operation
from torture.inside.report import Tally
from torture.inside.snapshot import Snapshot
from torture.inside.trace import Point, last_line, list_points, with_fault

# done; a fault of the system; a record that the disk does not give back makes a container a broken one
EXPECTED_CODES = frozenset({0, 8, 10})
# Nearly each kill is recovered in its own way, of the same steps: so many calls of each, but of the longest.
OTHERS = 2
Some = Callable[[Sequence[Point]], Sequence[Point]]


def torture(operation: Operation, *, sample: int, seed: int) -> None:
    """Kill an operation at its calls, and trouble the recoveries: the longest at all of their calls."""
    judge = Judge(operation)
    judge.prepare()
    _, points = list_points(operation.words)
    rest = store_at_rest()
    firsts = [point for point in points if tells(point)]
    tally = Tally("c", operation.name, "SIGKILL")
    found = interruptions(judge, chosen(firsts, sample, seed) if sample else firsts, tally)
    finish(tally, rest, listed=len(firsts), note=f"{len(found)} ways of recovery")
    source = random.Random(seed)  # noqa: S311 - not a secret
    longest = _longest(found)
    others = [one for one in found if one not in longest]
    few = _some(sample // 4 or OTHERS, source)
    many = few if sample else _all
    _kill_recoveries(judge, longest, many, rest, "SIGKILL twice")
    _kill_recoveries(judge, others, few, rest, "SIGKILL twice, others")
    for error in ERRORS:
        _fail_recoveries(judge, longest, error, many, rest)


def _some(most: int, source: random.Random) -> Some:
    return lambda points: sorted(source.sample(points, min(len(points), most)), key=points.index)


def _all(points: Sequence[Point]) -> Sequence[Point]:
    return points


def _kill_recoveries(
    judge: Judge, found: Iterable[Interruption], some: Some, rest: Snapshot, fault: str
) -> None:
    """Kill the recovery of each interruption at each of its calls, or at some."""
    tally = Tally("c", judge.operation.name, fault)
    for one in found:
        for second in some(one.calls):
            done, verdict, at = _round(judge, one, second, "signal=SIGKILL")
            if done.code in KILLED:
                tally.count(verdict, f"{one.point}, then {second} of the recovery", at)
    finish(tally, rest)


def _fail_recoveries(
    judge: Judge, found: Iterable[Interruption], error: str, some: Some, rest: Snapshot
) -> None:
    """Let the calls of a recovery fail, each once: it tells, and the next one must do."""
    tally = Tally("c", judge.operation.name, f"SIGKILL, then {error}")
    for one in found:
        interrupt(judge, one.point)
        _, calls = list_points(RECOVER)
        for second in some([call for call in calls if meets(call, error)]):
            done, verdict, at = _round(judge, one, second, f"error={error}")
            tally.codes[str(done.code)] += 1
            wrong = badly_told(done)
            if done.code not in EXPECTED_CODES:
                wrong.append(f"recover: exit code {done.code}: {done.said}")
            if wrong:
                verdict = Verdict(State.THIRD, [*wrong, *verdict.wrong], verdict.recovery)
            tally.count(verdict, f"{one.point}, then {second} of the recovery", f"{at} => {done.code}")
    finish(tally, rest)


def _round(judge: Judge, one: Interruption, second: Point, fault: str) -> tuple[Done, Verdict, str]:
    before, after = interrupt(judge, one.point)
    done = run(with_fault(second, fault, RECOVER))
    at = last_line()
    return done, judge.after_kill(before, after), at


def _longest(found: Iterable[Interruption]) -> list[Interruption]:
    """Return the recovery with the most calls of those that undo, and of those that go on."""
    return list({one.state: one for one in sorted(found, key=lambda one: len(one.calls))}.values())
