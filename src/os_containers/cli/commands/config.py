"""os-containers config."""

import click

from os_containers.cli import options, render
from os_containers.cli.command import Group
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.settings import Setting, list_settings


@click.group(cls=Group)
def config() -> None:
    """Show the configuration.

    `os-containers-config(5)` describes what can be set, and in which files.
    """


@config.command(
    output=list[Setting],
    examples=(
        ("config show", "Show all settings, and where each comes from"),
        ("config show --json", "Print them as JSON"),
    ),
)
@options.as_json
@pass_invocation
def show(invocation: Invocation, *, as_json: bool) -> None:
    """Show every setting with its value, and where the value comes from.

    Options of the command line take precedence over environment variables, these over the user's file, and
    that over the host's.
    """
    given = {"runtime": invocation.runtime, "lock-timeout": invocation.lock_timeout}
    with invocation.system() as system:
        settings = list_settings(system, given)
    if as_json:
        render.as_json(settings)
        return
    render.table(("SETTING", "VALUE", "FROM"), [_row(one) for one in settings])


def _row(setting: Setting) -> tuple[str, str, str]:
    return setting.key, _shown(setting.value), setting.where or setting.source


def _shown(value: str | float | None) -> str:
    match value:
        case int():
            return render.size_with_unit(value)
        case float():
            return f"{value:g}"
        case _:
            return value or "none"
