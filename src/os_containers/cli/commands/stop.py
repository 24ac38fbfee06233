"""os-containers stop."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.operations.control import stop_service


@click.command(
    cls=Command, examples=(("stop etcd", "Stop a service until it is started, or the host boots"),)
)
@options.containers
@pass_invocation
def stop(invocation: Invocation, names: tuple[str, ...]) -> int:
    """Stop the services of containers; they start again at the next boot if they are enabled."""
    with invocation.system() as system:
        return each(names, lambda name: stop_service(system, name))
