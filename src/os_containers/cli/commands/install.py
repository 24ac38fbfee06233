"""os-containers install."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from os_containers.cli import image_options, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.host.host_policy import Permission
from os_containers.image.access import ProxyOptions
from os_containers.operations.install import install as install_container
from os_containers.operations.package import make_package, native_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_containers.deployment.container import Deployment


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
@options.new_name
@click.option(
    "--system-package",
    type=click.Choice(["build", "no"]),
    default="no",
    show_default=True,
    help="With build, make a package of the host's kind here instead, as package does.",
)
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
    system_package: str,
    settings: dict[str, str],
    runtime: str | None,
    options: ProxyOptions,
    permission: Permission,
) -> None:
    """Make a container of an image: enabled, not yet started.

    The image is pulled when it is not in the store.
    """
    make: Callable[..., Deployment | Path] = install_container
    if system_package == "build":
        make = functools.partial(make_package, kind=native_format(), output=Path())
    with invocation.system() as system:
        made = make(
            system,
            image,
            name=name,
            settings=settings,
            runtime=runtime or invocation.runtime,
            options=options,
            permission=permission,
        )
    if isinstance(made, Path):
        click.echo(made)
