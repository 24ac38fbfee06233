"""What is told of a failure: one line of fact, and one of what to do next; on stderr."""

from collections.abc import Callable, Iterable

import click

from os_containers.cli.plain import plain
from os_containers.errors import OsContainersError
from os_containers.faults import system_fault


def tell(message: str, hint: str) -> None:
    """Say what is wrong and what to do next."""
    click.echo(f"error: {plain(message)}", err=True)
    click.echo(f"hint: {plain(hint)}", err=True)


def each(names: Iterable[str], act: Callable[[str], None]) -> int:
    """Act on each name once, whatever fails; return the exit code of the first failure, 0 without one."""
    code = 0
    for name in dict.fromkeys(names):
        try:
            act(name)
        except (OsContainersError, OSError) as caught:
            error = system_fault(caught) if isinstance(caught, OSError) else caught
            tell(error.message, error.hint or error.next_step)
            code = code or error.exit_code
    return code
