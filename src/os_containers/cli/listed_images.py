"""The images in the store, for people and for machines, and by what they are chosen."""

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from os_containers.cli import render
from os_containers.cli.filters import Test, is_true
from os_containers.image.about import parse_about
from os_containers.image.reference import split_tag
from os_containers.operations.image_use import Use
from os_containers.operations.images import ListedImage
from os_containers.ostree.repo import StoredLayer
from os_containers.ostree.stored_image import STORED

NONE = "<none>"

HEADING = ("NAME", "TAG", "IMAGE ID", "CREATED", "SIZE", "OWN LAYERS", "USED BY")
TESTS: dict[str, Test[ListedImage]] = {
    "container": lambda one, value: any(use.container == value for use in one.uses),
    "dangling": lambda one, value: one.is_dangling is is_true(value),
    "id": lambda one, value: one.image.digest.hex.startswith(value.removeprefix("sha256:")),
    "label": lambda one, value: _has_label(one.image.config, value),
    "name": lambda one, value: value in one.image.name,
    "reference": lambda one, value: fnmatchcase(one.image.name, value),
    "repo": lambda one, value: bool(one.image.name) and value in split_tag(one.image.name)[0],
    "tag": lambda one, value: bool(one.image.name) and value == split_tag(one.image.name)[1],
    "used": lambda one, value: bool(one.uses) is is_true(value),
}


class ImageJson(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the store; one that is dangling has no name. Sizes are bytes, unpacked.

    What is in layers that other images have is in shared_layers, the rest in own_layers; `images info` tells
    what it takes on the disk.
    """

    name: str | None
    digest: str
    commit: str
    created: str | None
    pulled: datetime | None
    size: int
    own_layers: int
    shared_layers: int
    dangling: bool
    used_by: tuple[Use, ...]


class LayerJson(msgspec.Struct, frozen=True):
    """A layer in the store, with its size in bytes as it was fetched, and unpacked."""

    layer: str
    size: int
    unpacked: int


def image_row(listed: ListedImage, shown: Callable[[str], str]) -> tuple[str, ...]:
    """Return the cells of an image; shown is how its digest is."""
    image = listed.image
    return (
        *_name_and_tag(image.name, shown),
        shown(image.digest),
        render.since_text(image.image_config().created),
        render.human_size(image.size),
        render.human_size(listed.sizes.own),
        _used_by(listed),
    )


def layer_row(layer: StoredLayer, shown: Callable[[str], str]) -> tuple[str, ...]:
    """Return the cells of a layer."""
    return "<layer>", "", shown(layer.digest), "", render.human_size(layer.unpacked), "", ""


def _has_label(config: bytes, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    labels = parse_about(config, STORED).labels
    return key in labels and (not equals or labels[key] == value)


def _used_by(listed: ListedImage) -> str:
    active = dict.fromkeys(use.container for use in listed.uses if use.active)
    former = dict.fromkeys(use.container for use in listed.uses if use.container not in active)
    return ", ".join([*active, *(f"({name})" for name in former)])


def _name_and_tag(full: str, shown: Callable[[str], str]) -> tuple[str, str]:
    if not full:
        return NONE, NONE
    name, tag = split_tag(full)
    if not tag.startswith("@"):
        return name, tag
    # its digest may be that of an index, which the image's own does not tell
    return (full if shown is str else name), NONE


def layer_json(layer: StoredLayer) -> LayerJson:
    """Return a layer for machines."""
    return LayerJson(layer.digest, layer.size, layer.unpacked)


def image_json(listed: ListedImage) -> ImageJson:
    """Return an image for machines."""
    image = listed.image
    return ImageJson(
        name=image.name or None,
        digest=image.digest,
        commit=image.commit,
        created=image.image_config().created,
        pulled=image.pulled,
        size=image.size,
        own_layers=listed.sizes.own,
        shared_layers=listed.sizes.shared,
        dangling=listed.is_dangling,
        used_by=listed.uses,
    )
