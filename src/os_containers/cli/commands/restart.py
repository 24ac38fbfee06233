"""os-containers restart."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.operations.control import restart_service


@click.command(cls=Command, examples=(("restart etcd node-exporter", "Restart two services"),))
@options.containers
@pass_invocation
def restart(invocation: Invocation, names: tuple[str, ...]) -> int:
    """Restart the services of containers, and what depends on them.

    If one does not stay up, the exit code is 9.
    """
    with invocation.system() as system:
        return each(names, lambda name: restart_service(system, name))
