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
        ("check", "Say what does not hold on this host"),
        ("check --quick --json", "The same for a monitor, without reading every object"),
    ),
)
@click.option("--quick", is_flag=True, help="Do not compute the checksums of all objects.")
@options.as_json
@pass_invocation
def check(invocation: Invocation, *, quick: bool, as_json: bool) -> int:
    """Say what is damaged, left over or half done: containers, host files, images; changes nothing.

    The exit code is 10 when there is anything, 7 when there is nothing but others are changing what was to be
    looked at.
    """
    with invocation.system() as system:
        problems = check_all(system, Depth.NAMES if quick else Depth.CONTENT)
    if as_json:
        render.as_json(problems)
    else:
        render.problems(problems)
    return BrokenError.exit_code if problems else 0
