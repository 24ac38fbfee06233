"""os-containers uninstall."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.uninstall import uninstall as uninstall_container


@click.command(
    cls=Command,
    examples=(("uninstall etcd", "Remove the container; its data stay"),),
)
@options.container
@pass_invocation
def uninstall(invocation: Invocation, name: str) -> None:
    """Remove a container, its files and its unit; what a person changed stays, and so do the data."""
    with invocation.system() as system:
        uninstall_container(system, name)
