"""os-containers repair."""

import click

from os_containers.cli import options, registry_options, render
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.errors import BrokenError
from os_containers.image.access import ProxyOptions
from os_containers.operations.problem import Problem
from os_containers.operations.repair import repair as repair_all


@click.command(
    cls=Command,
    output=list[Problem],
    examples=(("repair", "Mend what check finds"),),
)
@registry_options.registry
@options.as_json
@pass_invocation
def repair(invocation: Invocation, *, options: ProxyOptions, as_json: bool) -> int:
    """Mend what check finds: fetch damaged objects again, restore pins and unit files, remove leftovers.

    Running containers go on. What is left is shown, and the exit code is 10 then.
    """
    with invocation.system() as system:
        problems = repair_all(system, options)
    if as_json:
        render.as_json(problems)
    else:
        render.problems(problems)
    return BrokenError.exit_code if problems else 0
