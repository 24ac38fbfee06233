"""os-containers rollback."""

import click

from os_containers.cli import complete, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.planned import require_dry_run, show_plans
from os_containers.deployment.factory import SERIAL
from os_containers.errors import UsageError
from os_containers.operations.plan import Plan
from os_containers.operations.preview import plan_rollback
from os_containers.operations.rollback import rollback as rollback_container


@click.command(
    cls=Command,
    examples=(
        ("rollback etcd", "Return to the previous version"),
        ("rollback --dry-run etcd", "See what that would do"),
        ("rollback --factory etcd", "Return to what the system provides in /usr"),
        ("rollback --to 3 etcd", "Return to an older deployment, if config.toml keeps more than two"),
    ),
    output=list[Plan],
)
@options.container
@click.option(
    "--to",
    "serial",
    metavar="SERIAL",
    type=click.IntRange(min=0),
    help="Return to the deployment with this number; os-containers status lists them.",
    shell_complete=complete.deployments,
)
@click.option("--factory", is_flag=True, help="Return to the deployment that the system provides in /usr.")
@options.dry_run
@options.plan_as_json
@pass_invocation
def rollback(
    invocation: Invocation, name: str, *, serial: int | None, factory: bool, dry_run: bool, as_json: bool
) -> None:
    """Return to the previous deployment of a container; a second rollback returns to the newer one.

    The previous deployment is the one that was active before. --to chooses another, if more than two are
    kept, and --factory the one that the system provides in /usr/lib/containers/atomic. If the service does
    not start, the deployment that was to be left is active again, and the exit code is 9.
    """
    if factory and serial is not None:
        raise UsageError("--factory and --to name two deployments", hint="leave one of them out")
    serial = SERIAL if factory else serial
    require_dry_run(dry_run=dry_run, as_json=as_json)
    with invocation.system() as system:
        if dry_run:
            show_plans([plan_rollback(system, name, serial=serial)], as_json=as_json)
            return
        rollback_container(system, name, serial=serial)
