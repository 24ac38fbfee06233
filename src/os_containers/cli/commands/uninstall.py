"""os-containers uninstall."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.planned import require_dry_run, show_plans
from os_containers.operations.plan import Plan
from os_containers.operations.preview import plan_uninstall
from os_containers.operations.uninstall import uninstall as uninstall_container


@click.command(
    cls=Command,
    examples=(
        ("uninstall etcd", "Remove the container, but keep its data"),
        ("uninstall --dry-run etcd", "See what would be removed, and what would be kept"),
    ),
    output=list[Plan],
)
@options.container
@options.dry_run
@options.plan_as_json
@pass_invocation
def uninstall(invocation: Invocation, name: str, *, dry_run: bool, as_json: bool) -> None:
    """Remove a container, its unit and its host files.

    Host files that were changed are kept, and so are the data of the container. Its image stays in the store.
    If the system provides a container of that name in /usr/lib/containers/atomic, that one is active again.
    """
    require_dry_run(dry_run=dry_run, as_json=as_json)
    with invocation.system() as system:
        if dry_run:
            show_plans([plan_uninstall(system, name)], as_json=as_json)
            return
        uninstall_container(system, name)
