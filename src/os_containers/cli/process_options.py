"""What the commands that run a command in a container take: its words, and how it is run."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from os_containers.operations.command import Command, parse_environment

_Function = TypeVar("_Function", bound=Callable[..., Any])


def command(*, required: bool) -> Callable[[_Function], Callable[..., Any]]:
    """Add the argument and the options; the command gets them as `command`."""

    def add(function: _Function) -> Callable[..., Any]:
        @click.argument(
            "words",
            metavar="[--] CMD..." if required else "[[--] CMD...]",
            nargs=-1,
            required=required,
            type=click.UNPROCESSED,
        )
        @click.option(
            "-e",
            "--env",
            metavar="NAME[=VALUE]",
            multiple=True,
            help="Set an environment variable for the command; NAME alone passes on the caller's value.",
        )
        @click.option(
            "-u", "--user", metavar="USER[:GROUP]", default="", help="Run the command as this user."
        )
        @click.option("-w", "--workdir", metavar="DIR", default="", help="Run the command in this directory.")
        @click.option(
            "-T", "--no-tty", is_flag=True, help="Do not allocate a terminal, even if standard input is one."
        )
        # what people type who know podman; it is so anyway
        @click.option("-i", "--interactive", is_flag=True, hidden=True, expose_value=False)
        @click.option("-t", "--tty", is_flag=True, hidden=True, expose_value=False)
        @functools.wraps(function)
        def with_command(
            *args: Any,
            words: tuple[str, ...],
            env: tuple[str, ...],
            user: str,
            workdir: str,
            no_tty: bool,
            **kwargs: Any,
        ) -> Any:
            words = words[1:] if words[:1] == ("--",) else words
            wanted = Command(words, parse_environment(env), user, workdir, no_terminal=no_tty)
            return function(*args, command=wanted, **kwargs)

        return with_command

    return add
