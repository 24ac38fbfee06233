"""os-containers recover."""

import click

from os_containers.cli import complete, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.plain import plain
from os_containers.config import load_usable
from os_containers.operations.recover import plan_recover, recover_all, recover_named
from os_containers.operations.service import Start


@click.command(
    cls=Command,
    examples=(
        ("recover", "Finish or undo all interrupted changes"),
        ("recover etcd", "Finish or undo the interrupted change of one container"),
    ),
)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete.containers)
@options.dry_run
@click.option("--no-block", is_flag=True, help="Do not wait for services to start; used at boot.")
@pass_invocation
def recover(invocation: Invocation, name: str | None, *, no_block: bool, dry_run: bool) -> None:
    """Finish or undo interrupted changes, of one container or of all.

    Every command that changes a container first does this for that container, and the host does it at boot.
    """
    how = Start.QUEUED if no_block else Start.WATCHED
    # a mistake in config.toml must not keep a host from coming up
    with invocation.system(load_usable) as system:
        if dry_run:
            for line in plan_recover(system, name):
                click.echo(plain(line))
        elif name is None:
            recover_all(system, how)
        else:
            recover_named(system, name, how)
