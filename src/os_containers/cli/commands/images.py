"""os-containers images."""

from collections.abc import Callable
from datetime import datetime

import click
import msgspec

from os_containers.cli import complete, options, render
from os_containers.cli.command import Group, ListOf
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.image.reference import split_tag
from os_containers.operations.images import delete_image, list_images, list_layers, tag_image
from os_containers.operations.prune import prune as prune_store
from os_containers.ostree.repo import Pruned, StoredLayer
from os_containers.ostree.stored_image import StoredImage


class ImageJson(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the store; its size is in bytes, unpacked."""

    name: str
    digest: str
    commit: str
    created: str | None
    pulled: datetime | None
    size: int


class LayerJson(msgspec.Struct, frozen=True):
    """A layer in the store; bytes as it was fetched and unpacked."""

    layer: str
    size: int
    unpacked: int


@click.group(cls=Group)
def images() -> None:
    """List, tag, delete and prune images."""


@images.command("list", output=ListOf(ImageJson, LayerJson))
@click.option("-a", "--all", "every", is_flag=True, help="Layers too.")
@click.option("--no-truncate", is_flag=True, help="Whole digests.")
@options.as_json
@pass_invocation
def list_(invocation: Invocation, *, every: bool, no_truncate: bool, as_json: bool) -> None:
    """List the images in the store."""
    with invocation.system() as system:
        stored = list_images(system)
        layers = list_layers(system) if every else []
    if as_json:
        render.as_json([*map(_image_json, stored), *map(_layer_json, layers)])
        return
    shown = str if no_truncate else render.short_id
    rows = [_row(image, shown) for image in stored]
    rows += [("<layer>", "", shown(layer.digest), "", render.human_size(layer.size)) for layer in layers]
    render.table(("NAME", "TAG", "IMAGE ID", "CREATED", "SIZE"), rows)


@images.command()
@options.stored_image
@pass_invocation
def delete(invocation: Invocation, image: str) -> None:
    """Take an image's name out of the store; `images prune` then frees the space."""
    with invocation.system() as system:
        click.echo(f"deleted {delete_image(system, image)}")


@images.command()
@click.argument("source", shell_complete=complete.stored_images)
@click.argument("target")
@pass_invocation
def tag(invocation: Invocation, source: str, target: str) -> None:
    """Give the image SOURCE a second name TARGET."""
    with invocation.system() as system:
        tagged = tag_image(system, source, target)
    click.echo(f"{tagged.name} {tagged.digest}")


@images.command(output=Pruned)
@options.as_json
@pass_invocation
def prune(invocation: Invocation, *, as_json: bool) -> None:
    """Free what no image and no container needs."""
    with invocation.system() as system:
        pruned = prune_store(system)
    if as_json:
        render.as_json(pruned)
        return
    click.echo(f"freed {render.human_size(pruned.bytes)} in {pruned.objects} objects")


def _row(image: StoredImage, shown: Callable[[str], str]) -> tuple[str, ...]:
    created = render.since_text(image.image_config().created)
    return *_name_and_tag(image, shown), shown(image.digest), created, render.human_size(image.size)


def _name_and_tag(image: StoredImage, shown: Callable[[str], str]) -> tuple[str, str]:
    name, tag = split_tag(image.name)
    if not tag.startswith("@"):
        return name, tag
    # its digest may be that of an index, which the image's own does not tell
    return (image.name if shown is str else name), "<none>"


def _layer_json(layer: StoredLayer) -> LayerJson:
    return LayerJson(str(layer.digest), layer.size, layer.unpacked)


def _image_json(image: StoredImage) -> ImageJson:
    return ImageJson(
        name=image.name,
        digest=str(image.digest),
        commit=image.commit,
        created=image.image_config().created,
        pulled=image.pulled,
        size=image.size,
    )
