"""os-containers stop."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.cli.planned import show_plans
from os_containers.operations.control import stop_service
from os_containers.operations.preview import ServiceVerb, plan_service


@click.command(
    cls=Command, examples=(("stop etcd", "Stop a service until it is started again, or the host boots"),)
)
@options.containers
@options.dry_run
@pass_invocation
def stop(invocation: Invocation, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Stop the services of containers; those that are enabled start again at the next boot."""
    with invocation.system() as system:
        if dry_run:
            return each(names, lambda name: show_plans([plan_service(system, name, ServiceVerb.STOP)]))
        return each(names, lambda name: stop_service(system, name))
