"""os-containers uninstall."""

import click

from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.uninstall import uninstall as uninstall_container


@click.command()
@click.argument("name")
@pass_invocation
def uninstall(invocation: Invocation, name: str) -> None:
    """Remove a container, its files and its unit; what a person changed stays, and so do the data."""
    with invocation.system() as system:
        uninstall_container(system, name)
