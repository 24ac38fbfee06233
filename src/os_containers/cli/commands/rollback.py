"""os-containers rollback."""

import click

from os_containers.cli import complete, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.planned import require_dry_run, show_plans
from os_containers.operations.preview import Plan, plan_rollback
from os_containers.operations.rollback import rollback as rollback_container


@click.command(
    cls=Command,
    examples=(
        ("rollback etcd", "Return to the version before"),
        ("rollback --dry-run etcd", "See what that would do"),
        ("rollback --to 3 etcd", "Return to an older one, where config.toml keeps more than one"),
    ),
    output=list[Plan],
)
@options.container
@click.option(
    "--to",
    "serial",
    metavar="SERIAL",
    type=click.IntRange(min=0),
    help="Return to this one of the deployments that are there.",
    shell_complete=complete.deployments,
)
@options.dry_run
@options.plan_as_json
@pass_invocation
def rollback(invocation: Invocation, name: str, *, serial: int | None, dry_run: bool, as_json: bool) -> None:
    """Return to the previous deployment of a container; twice returns to the newer one.

    Where more than two are kept, the newest of the others is the previous one: --to names another.
    """
    require_dry_run(dry_run=dry_run, as_json=as_json)
    with invocation.system() as system:
        if dry_run:
            show_plans([plan_rollback(system, name, serial=serial)], as_json=as_json)
            return
        rollback_container(system, name, serial=serial)
