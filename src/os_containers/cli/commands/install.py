"""os-containers install."""

import click

from os_containers.cli import image_options, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.host.host_policy import Permission
from os_containers.image.access import ProxyOptions
from os_containers.operations.install import install as install_container


@click.command(
    cls=Command,
    examples=(
        ("install quay.io/org/etcd:3.5", "Make the container etcd-3.5"),
        (
            "install --name etcd --set CLUSTER=blue quay.io/org/etcd:3.5",
            "Choose its name, and the value of a variable",
        ),
    ),
)
@options.image
@click.option("--name", help="The container's name; by default the image's last part, with its tag.")
@image_options.settings
@options.runtime
@image_options.registry
@image_options.host_files
@pass_invocation
def install(
    invocation: Invocation,
    image: str,
    *,
    name: str | None,
    settings: dict[str, str],
    runtime: str | None,
    options: ProxyOptions,
    permission: Permission,
) -> None:
    """Make a container of an image: enabled, not yet started.

    The image is pulled when it is not in the store.
    """
    with invocation.system() as system:
        install_container(
            system,
            image,
            name=name,
            settings=settings,
            runtime=runtime or invocation.runtime,
            options=options,
            permission=permission,
        )
