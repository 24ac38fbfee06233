"""(e) SIGKILL at random moments of an update and a rollback, while a real service runs."""

import random
import statistics
import subprocess
import time
from pathlib import Path

from torture.inside.command import ENVIRONMENT, ours
from torture.inside.judge import Judge
from torture.inside.kills import finish, store_at_rest
from torture.inside.operation import Operation
from torture.inside.report import Tally

# A kill may also come when all is over.
LONGEST = 1.1


def torture(operation: Operation, *, rounds: int, seed: int) -> None:
    """Kill an operation at a random moment, many times."""
    judge = Judge(operation)
    judge.prepare()
    duration = statistics.median(_measured(judge) for _ in range(3))
    rest = store_at_rest()
    source = random.Random(seed)  # noqa: S311 - not a secret
    tally = Tally("e", operation.name, "SIGKILL at random")
    for _ in range(rounds):
        delay = source.uniform(0, LONGEST * duration)
        before, after = judge.prepare()
        _killed_after(operation, delay)
        tally.count(judge.after_kill(before, after), f"{delay:.3f} s of {duration:.2f} s", "")
    finish(tally, rest)


def _measured(judge: Judge) -> float:
    judge.prepare()
    return ours(*judge.operation.words).seconds


def _killed_after(operation: Operation, delay: float) -> None:
    with Path("/dev/null").open("r+b") as null:
        child = subprocess.Popen(
            ["os-containers", *operation.words], stdin=null, stdout=null, stderr=null, env=ENVIRONMENT
        )
        time.sleep(delay)
        child.kill()
        child.wait()
