"""Options of the commands that deploy an image; others have no time to load these."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from os_containers.cli import complete, options
from os_containers.cli.registry_options import registry
from os_containers.deployment.values import parse_settings
from os_containers.host.host_policy import Permission
from os_containers.operations.choices import Choices
from os_containers.operations.system import System

__all__ = ["choices", "registry", "settings"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _parse_settings(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    return parse_settings(given, limits=System.find().config.deployment) if given else {}


settings = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parse_settings,
    shell_complete=complete.variables,
    help="Set a variable of the image; may be given several times.",
)


def choices(command: _Function) -> Callable[..., Any]:
    """Add what a person chooses for a deployment; the command gets it as one Choices named `choices`."""

    @settings
    @options.runtime
    @click.option(
        "--allow-host-path",
        metavar="PATH",
        multiple=True,
        help="Allow the image to install files at or below PATH, even where other programs act on them "
        "(such as /etc/cron.d).",
    )
    @click.option(
        "--allow-setuid",
        is_flag=True,
        help="Allow the image to install files that are setuid or setgid, or have capabilities.",
    )
    @functools.wraps(command)
    def with_options(
        *args: Any,
        settings: dict[str, str],
        runtime: str | None,
        allow_host_path: tuple[str, ...],
        allow_setuid: bool,
        **kwargs: Any,
    ) -> Any:
        permission = Permission.parse(allow_host_path, setuid=allow_setuid)
        chosen = Choices(settings, runtime=runtime, permission=permission)
        return command(*args, choices=chosen, **kwargs)

    return with_options
