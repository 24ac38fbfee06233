"""os-containers pull."""

import click

from os_containers.cli import options as common
from os_containers.cli import registry_options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.image_info import fetch_lines
from os_containers.image.access import ProxyOptions
from os_containers.image.reference import ImageReference
from os_containers.operations.image_info import remote_image_info
from os_containers.operations.pull import pull as pull_image


@click.command(
    cls=Command,
    examples=(
        ("pull quay.io/org/etcd:3.5", "Pull an image from a registry"),
        ("pull --dry-run quay.io/org/etcd:3.5", "See which of its layers would be fetched"),
        ("pull oci-archive:etcd.tar", "Pull an image from an archive"),
    ),
)
@common.image
@click.option("--name-image", metavar="NAME", help="Store the image under this name.")
@registry_options.registry
@common.dry_run
@pass_invocation
def pull(
    invocation: Invocation, image: str, *, name_image: str | None, options: ProxyOptions, dry_run: bool
) -> None:
    """Pull an image into the store.

    IMAGE is a name in a registry (docker://quay.io/org/etcd:3.5, or just quay.io/org/etcd:3.5), or one of
    oci:, oci-archive:, docker-archive:, dir: and containers-storage: followed by the location of the image.
    """
    with invocation.system() as system:
        if dry_run:
            for line in fetch_lines(remote_image_info(system, image, options=options)):
                click.echo(line)
            return
        stored = pull_image(system, ImageReference.parse(image), options=options, name=name_image)
    click.echo(f"{stored.name} {stored.digest}")
