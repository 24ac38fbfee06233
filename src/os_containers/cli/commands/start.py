"""os-containers start."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.cli.planned import show_plans
from os_containers.operations.control import start_service
from os_containers.operations.preview import ServiceVerb, plan_service


@click.command(cls=Command, examples=(("start etcd", "Start a service that was stopped, or has failed"),))
@options.containers
@options.dry_run
@pass_invocation
def start(invocation: Invocation, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Start the services of containers.

    A service that does not tell systemd when it is ready is watched for a second. If a service does not stay
    up, the exit code is 9.
    """
    with invocation.system() as system:
        if dry_run:
            return each(names, lambda name: show_plans([plan_service(system, name, ServiceVerb.START)]))
        return each(names, lambda name: start_service(system, name))
