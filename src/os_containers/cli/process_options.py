"""Options of the commands that run a command in a container: how, where that is not as the service."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from os_containers.operations.command import Manner, parse_environment

_Function = TypeVar("_Function", bound=Callable[..., Any])


def manner(command: _Function) -> Callable[..., Any]:
    """Add the options; the command gets them as `manner`."""

    @click.option("-e", "--env", metavar="NAME=VALUE", multiple=True, help="Set a variable for it.")
    @click.option("-u", "--user", metavar="USER[:GROUP]", default="", help="Run it as a user of the image.")
    @click.option("-w", "--workdir", metavar="DIR", default="", help="Run it in this directory.")
    @click.option("-T", "--no-tty", is_flag=True, help="Give it no terminal, though ours is one.")
    # what people type who know podman; it is so anyway
    @click.option("-i", "--interactive", is_flag=True, hidden=True, expose_value=False)
    @click.option("-t", "--tty", is_flag=True, hidden=True, expose_value=False)
    @functools.wraps(command)
    def with_options(
        *args: Any, env: tuple[str, ...], user: str, workdir: str, no_tty: bool, **kwargs: Any
    ) -> Any:
        wanted = Manner(parse_environment(env), user, workdir, no_terminal=no_tty)
        return command(*args, manner=wanted, **kwargs)

    return with_options
