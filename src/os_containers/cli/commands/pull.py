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
        ("pull quay.io/org/etcd:3.5", "Bring an image from a registry"),
        ("pull --dry-run quay.io/org/etcd:3.5", "See what of it would be fetched"),
        ("pull oci-archive:etcd.tar", "Bring one from a file"),
    ),
)
@common.image
@click.option("--name-image", metavar="NAME", help="The image's name in the store.")
@registry_options.registry
@common.dry_run
@pass_invocation
def pull(
    invocation: Invocation, image: str, *, name_image: str | None, options: ProxyOptions, dry_run: bool
) -> None:
    """Bring an image into the store.

    IMAGE is a name in a registry (docker://quay.io/etcd:3.5, or just quay.io/etcd:3.5), or where it is
    behind oci:, oci-archive:, docker-archive:, dir: or containers-storage:.
    """
    with invocation.system() as system:
        if dry_run:
            for line in fetch_lines(remote_image_info(system, image, options=options)):
                click.echo(line)
            return
        stored = pull_image(system, ImageReference.parse(image), options=options, name=name_image)
    click.echo(f"{stored.name} {stored.digest}")
