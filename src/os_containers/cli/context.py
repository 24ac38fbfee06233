"""What the commands share: the options before the command's name, and the system they work on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from os_containers.config import Loader
    from os_containers.operations.system import System


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options of one call."""

    runtime: str | None
    lock_timeout: float | None

    @contextlib.contextmanager
    def system(self, load: "Loader | None" = None) -> Iterator["System"]:
        """Yield the system; what its operations tell is shown on stderr meanwhile."""
        # not at the top: --help and --version want none of it
        from os_containers.cli.progress import reporter  # noqa: PLC0415
        from os_containers.config import load_config  # noqa: PLC0415
        from os_containers.operations.system import System  # noqa: PLC0415

        with reporter() as on_event:
            yield System.find(on_event=on_event, lock_timeout=self.lock_timeout, load=load or load_config)


pass_invocation = click.make_pass_decorator(Invocation)
