"""os-containers repair."""

import click

from os_containers.cli import options as common
from os_containers.cli import registry_options, render
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.errors import BrokenError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check as check_all
from os_containers.operations.check_store import Depth
from os_containers.operations.problem import Problem
from os_containers.operations.repair import repair as repair_all


@click.command(
    cls=Command,
    output=list[Problem],
    examples=(("repair", "Repair what check finds"),),
)
@registry_options.registry
@common.dry_run
@common.as_json
@pass_invocation
def repair(invocation: Invocation, *, options: ProxyOptions, dry_run: bool, as_json: bool) -> int:
    """Repair what check finds: fetch damaged objects again, restore refs and unit files, remove leftovers.

    Containers keep running. Problems that remain are shown, and the exit code is then 10. With --dry-run,
    problems are shown as by `check`, and nothing is repaired.
    """
    with invocation.system() as system:
        problems = check_all(system, Depth.CONTENT) if dry_run else repair_all(system, options)
    if as_json:
        render.as_json(problems)
    else:
        render.problems(problems)
    return BrokenError.exit_code if problems else 0
