"""What is told of a failure: one line of fact, and one of what to do next; on stderr."""

from collections.abc import Callable, Iterable

import click

from os_containers.cli import voice
from os_containers.cli.plain import plain
from os_containers.errors import OsContainersError
from os_containers.faults import system_fault


def tell(message: str, hint: str, code: int) -> None:
    """Say what is wrong and what to do next; the exit code is told to programs."""
    if voice.chosen() is voice.Form.JSON:
        from os_containers.cli.json_lines import ErrorLine, say  # noqa: PLC0415 - only for programs

        say(ErrorLine(message, hint, code))
        return
    click.echo(f"error: {plain(message)}", err=True)
    click.echo(f"hint: {plain(hint)}", err=True)


def warn(text: str) -> None:
    """Say what the user should know beside what was asked for."""
    if voice.chosen() is voice.Form.JSON:
        from os_containers.cli.json_lines import WarningLine, say  # noqa: PLC0415 - as above

        say(WarningLine(text))
        return
    click.echo(f"warning: {plain(text)}", err=True)


def advise(text: str) -> None:
    """Say what can be done about it."""
    if voice.chosen() is voice.Form.JSON:
        from os_containers.cli.json_lines import HintLine, say  # noqa: PLC0415 - as above

        say(HintLine(text))
        return
    click.echo(f"hint: {plain(text)}", err=True)


def each(names: Iterable[str], act: Callable[[str], None]) -> int:
    """Act on each name once, whatever fails; return the exit code of the first failure, 0 without one."""
    code = 0
    for name in dict.fromkeys(names):
        try:
            act(name)
        except (OsContainersError, OSError) as caught:
            error = system_fault(caught) if isinstance(caught, OSError) else caught
            tell(error.message, error.hint or error.next_step, error.exit_code)
            code = code or error.exit_code
    return code
