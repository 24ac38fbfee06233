"""One JSON object a line on stdout: what the other side shows."""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from torture.inside.command import take_times
from torture.inside.judge import State, Verdict

PROGRESS_SECONDS = 20
_PROBLEM = re.compile(r'check: \{"invariant": "(I\d+)"')


def tell(kind: str, **facts: object) -> None:
    """Tell one thing."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


@dataclass
class Tally:
    """What one operation and one fault came to."""

    part: str
    operation: str
    fault: str
    points: int = 0
    states: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def count(self, verdict: Verdict, point: str, at: str) -> None:
        """Count a round; a third state is told at once."""
        self.points += 1
        self.states[verdict.state] += 1
        self.worst = max(self.worst, verdict.recovery)
        if verdict.state is State.THIRD:
            self.wrong(verdict.wrong, point, at)
        elif time.monotonic() - self.told > PROGRESS_SECONDS:
            self.told = time.monotonic()
            tell("progress", **self._facts(), point=point)

    def wrong(self, lines: Sequence[str], point: str, at: str) -> None:
        """Tell of a third state."""
        self.kinds[kind_of(lines)] += 1
        tell("third", operation=self.operation, fault=self.fault, point=point, at=at, wrong=[*lines])

    def finish(self, **more: object) -> None:
        tell(
            "result",
            **self._facts(),
            times=take_times(),
            kinds=dict(self.kinds.most_common()),
            codes=dict(self.codes),
            **more,
        )

    def _facts(self) -> dict[str, object]:
        return {
            "part": self.part,
            "operation": self.operation,
            "fault": self.fault,
            "points": self.points,
            "before": self.states[State.BEFORE],
            "after": self.states[State.AFTER],
            "third": self.states[State.THIRD],
            "worst": round(self.worst, 2),
            "seconds": round(time.monotonic() - self.started, 1),
        }


def kind_of(lines: Sequence[str]) -> str:
    """Return a third state in few words, the same for all that look alike."""
    return ", ".join(sorted({_place(line) for line in lines}))


def _place(line: str) -> str:
    """Return where a line sees a difference, without what is another name or number each time."""
    found = _PROBLEM.match(line)
    if found:
        return f"check {found[1]}"
    start, _, rest = line.partition(": ")
    place = f"{start}: {rest.partition(': ')[0]}" if start.startswith(("exit code", "once more")) else start
    place = re.sub(r"(\.os-containers-|/\.staging/|/\.trash/|tmp/os-containers-)\S+", r"\1*", place)
    return re.sub(r"(deployment #\d+) .*", r"\1", place)[:100]
