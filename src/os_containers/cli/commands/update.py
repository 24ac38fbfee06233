"""os-containers update."""

import click

from os_containers.cli import complete, image_options, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.host.host_policy import Permission
from os_containers.image.access import ProxyOptions
from os_containers.operations.update import Source
from os_containers.operations.update import update as update_container


@click.command(
    cls=Command,
    examples=(
        ("update --pull etcd", "Ask the registry for a newer image, and go over to it"),
        ("update --set CLUSTER=green etcd", "Go over to another value"),
        ("update --rebase quay.io/org/etcd:3.6 etcd", "Go over to another image"),
    ),
)
@options.container
@click.option("--rebase", metavar="IMAGE", help="Go over to another image.", shell_complete=complete.images)
@click.option("--pull", is_flag=True, help="Ask the registry for a newer image first.")
@image_options.settings
@options.runtime
@image_options.registry
@image_options.host_files
@pass_invocation
def update(
    invocation: Invocation,
    name: str,
    *,
    rebase: str | None,
    pull: bool,
    settings: dict[str, str],
    runtime: str | None,
    options: ProxyOptions,
    permission: Permission,
) -> None:
    """Go over to the image that the store has now, or to other values.

    The service is restarted if it was running. If it does not start, the deployment from before is active
    again, and the exit code is 9.
    """
    source = Source.REGISTRY if pull else Source.STORE_OR_REGISTRY if rebase else Source.STORE
    with invocation.system() as system:
        updated = update_container(
            system,
            name,
            settings=settings,
            rebase=rebase,
            source=source,
            runtime=runtime or invocation.runtime,
            options=options,
            permission=permission,
        )
    if not updated.changed:
        click.echo("Latest version already deployed")
