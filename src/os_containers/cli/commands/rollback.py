"""os-containers rollback."""

import click

from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.rollback import rollback as rollback_container


@click.command()
@click.argument("name")
@pass_invocation
def rollback(invocation: Invocation, name: str) -> None:
    """Return to the previous deployment of a container; twice returns to the newer one."""
    with invocation.system() as system:
        rollback_container(system, name)
