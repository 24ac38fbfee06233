"""os-containers rollback."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.rollback import rollback as rollback_container


@click.command(
    cls=Command,
    examples=(("rollback etcd", "Return to the version before"),),
)
@options.container
@pass_invocation
def rollback(invocation: Invocation, name: str) -> None:
    """Return to the previous deployment of a container; twice returns to the newer one."""
    with invocation.system() as system:
        rollback_container(system, name)
