"""os-containers start."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.operations.control import start_service


@click.command(cls=Command, examples=(("start etcd", "Start a service that was stopped or has failed"),))
@options.containers
@pass_invocation
def start(invocation: Invocation, names: tuple[str, ...]) -> int:
    """Start the services of containers.

    A service that does not tell when it is ready is watched for a second. If one does not stay up, the exit
    code is 9.
    """
    with invocation.system() as system:
        return each(names, lambda name: start_service(system, name))
