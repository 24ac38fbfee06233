"""os-containers check."""

import click

from os_containers.cli import options, render
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.errors import BrokenError
from os_containers.operations.check import check as check_all
from os_containers.operations.check_store import Depth
from os_containers.operations.problem import Problem


@click.command(
    cls=Command,
    output=list[Problem],
    examples=(
        ("check", "Check this host"),
        ("check --quick --json", "Check it for a monitoring system, without reading every object"),
    ),
)
@click.option("--quick", is_flag=True, help="Do not read every object in the store to verify its checksum.")
@options.as_json
@pass_invocation
def check(invocation: Invocation, *, quick: bool, as_json: bool) -> int:
    """Report damage, leftovers and interrupted changes of containers, host files and images.

    Nothing is changed. Host files that were edited are mentioned, but do not count as a problem. The exit
    code is 10 if there is a problem, and 7 if none was found but other commands kept something from being
    checked.
    """
    with invocation.system() as system:
        problems = check_all(system, Depth.NAMES if quick else Depth.CONTENT)
    if as_json:
        render.as_json(problems)
    else:
        render.problems(problems)
    return BrokenError.exit_code if problems else 0
