"""os-containers package."""

from pathlib import Path

import click

from os_containers.cli import image_options, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.image.access import ProxyOptions
from os_containers.operations.choices import Choices
from os_containers.operations.package import Format, make_package


@click.command(
    cls=Command,
    examples=(
        ("package --format deb quay.io/org/etcd:3.5", "Build a Debian package in the working directory"),
        (
            "package --format rpm --name etcd --set CLUSTER=blue --output /srv quay.io/org/etcd:3.5",
            "Build an RPM in another directory, and set a variable",
        ),
    ),
)
@options.image
@click.option(
    "--format",
    "kind",
    type=click.Choice([one.value for one in Format]),
    required=True,
    help="Format of the package.",
)
@options.new_name
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=".",
    help="Directory for the package; by default the working directory.",
)
@image_options.choices
@image_options.registry
@pass_invocation
def package(
    invocation: Invocation,
    image: str,
    *,
    kind: str,
    name: str | None,
    output: Path,
    choices: Choices,
    options: ProxyOptions,
) -> None:
    """Build a deb or rpm package from an image.

    The package contains what `install` would set up: rootfs, unit and host files. It is built with the
    distribution's own tools, dpkg-deb or rpmbuild, and does not need os-containers where it is installed.
    Installing it enables the service; a deb also starts it, as is usual on Debian. Values given with --set
    are stored in the package, where everybody can read them.
    """
    with invocation.system() as system:
        made = make_package(
            system, image, choices, kind=Format(kind), output=output, name=name, options=options
        )
    click.echo(made)
