"""What every row works with."""

from dataclasses import dataclass

from bench.program import Program


@dataclass(frozen=True, slots=True)
class Setting:
    """How often each contestant runs, and the installed program."""

    rounds: int
    program: Program
