"""What prune freed or would free, for people and for machines."""

from pathlib import Path

import msgspec

from os_containers.cli import render
from os_containers.ostree.pruning import Pruned


class PrunedJson(msgspec.Struct, frozen=True, kw_only=True):
    """What prune removed or, with dry_run, would remove; leftovers are listed with dry_run only."""

    dry_run: bool
    refs: tuple[str, ...]
    objects: int
    bytes: int
    images: tuple[str, ...]
    layers: tuple[str, ...]
    leftovers: tuple[str, ...] = ()


def pruned_json(pruned: Pruned, leftovers: tuple[Path, ...], *, dry_run: bool) -> PrunedJson:
    """Return what was freed, or would be, for machines."""
    return PrunedJson(
        dry_run=dry_run,
        refs=pruned.refs,
        objects=pruned.objects,
        bytes=pruned.bytes,
        images=pruned.images,
        layers=tuple(layer.digest for layer in pruned.layers),
        leftovers=tuple(map(str, leftovers)),
    )


def pruned_lines(pruned: Pruned, leftovers: tuple[Path, ...]) -> list[str]:
    """Return what was freed, or would be, for people."""
    return [
        *(f"image {digest}" for digest in pruned.images),
        *(f"layer {layer.digest}  {render.human_size(layer.unpacked)}" for layer in pruned.layers),
        *(f"left by a killed command: {path}" for path in leftovers),
    ]
