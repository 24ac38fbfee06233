"""The row about how long it takes until there is an answer at all."""

from bench.measure import Command, Usage, by_turns, measure
from bench.program import PYTHON
from bench.result import OURS, Result, compared
from bench.setting import Setting

START_TO_PYTHON = 3.0
BARE = "python3 -c pass"
# what the help cannot do without
CLICK = "import click"
_TIMES = 10


def start(setting: Setting) -> Result:
    """Show the version and the help, beside an interpreter that does nothing, and one that loads click."""
    call = setting.program.call
    runs = by_turns(
        setting.rounds,
        {
            OURS: lambda: _mean(call("--version")),
            "--help": lambda: _mean(call("--help")),
            CLICK: lambda: _mean(setting.program.python(CLICK)),
            BARE: lambda: _mean([PYTHON, "-c", "pass"]),
        },
    )
    figures = [
        compared("--version", runs, BARE, START_TO_PYTHON),
        compared("--help", runs, BARE, START_TO_PYTHON, ours="--help"),
        compared("click alone", runs, BARE, None, ours=CLICK),
    ]
    return Result("start", "start of the program", figures, runs)


def _mean(command: Command) -> Usage:
    """Return what a run took, as the mean of ten: one alone is shorter than the noise."""
    runs = [measure(command) for _ in range(_TIMES)]
    return Usage(
        wall=sum(run.wall for run in runs) / _TIMES,
        processor=sum(run.processor for run in runs) / _TIMES,
        memory=max(run.memory for run in runs),
    )
