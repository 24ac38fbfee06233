"""What the commands share: the options before the command's name, and the system they work on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import click

from os_containers.cli.progress import reporter
from os_containers.operations.system import System


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options of one call."""

    runtime: str | None
    lock_timeout: float

    @contextlib.contextmanager
    def system(self) -> Iterator[System]:
        """Yield the system; what its operations tell is shown on stderr meanwhile."""
        with reporter() as on_event:
            yield System.find(on_event=on_event, lock_timeout=self.lock_timeout)


pass_invocation = click.make_pass_decorator(Invocation)
