"""os-containers restart."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.cli.planned import show_plans
from os_containers.operations.control import restart_service
from os_containers.operations.preview import ServiceVerb, plan_service


@click.command(cls=Command, examples=(("restart etcd node-exporter", "Restart two services"),))
@options.containers
@options.dry_run
@pass_invocation
def restart(invocation: Invocation, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Restart the services of containers, and the units that depend on them.

    If a service does not stay up, the exit code is 9.
    """
    with invocation.system() as system:
        if dry_run:
            return each(names, lambda name: show_plans([plan_service(system, name, ServiceVerb.RESTART)]))
        return each(names, lambda name: restart_service(system, name))
