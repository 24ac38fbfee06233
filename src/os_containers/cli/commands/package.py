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
        ("package --format deb quay.io/org/etcd:3.5", "Make a Debian package of an image, here"),
        (
            "package --format rpm --name etcd --set CLUSTER=blue --output /srv quay.io/org/etcd:3.5",
            "Make an RPM elsewhere, with a value for a variable",
        ),
    ),
)
@options.image
@click.option(
    "--format", "kind", type=click.Choice([one.value for one in Format]), required=True, help="What kind."
)
@options.new_name
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=".",
    help="Where to put it; by default the working directory.",
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
    """Make a package of an image, which brings what install would make: rootfs, unit, host files.

    It is made by the distribution's own tools, dpkg-deb or rpmbuild, and needs no os-containers where it is
    installed. Its service is enabled there, and by a deb started, as Debian's are. The values of --set are in
    it, for everybody to read.
    """
    with invocation.system() as system:
        made = make_package(
            system, image, choices, kind=Format(kind), output=output, name=name, options=options
        )
    click.echo(made)
