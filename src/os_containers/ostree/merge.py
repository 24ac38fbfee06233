"""Layers on top of each other: the layer rules of the OCI image specification; pure.

A layer keeps its whiteouts as ordinary files: `.wh.NAME` hides NAME, `.wh..wh..opq` hides all of its
directory. They hide what lower layers have, never what is in their own layer.
"""

from collections.abc import Iterable

from os_containers.ostree.tree import Directory

WHITEOUT = ".wh."
WHITEOUT_OF_WHITEOUTS = ".wh..wh."
OPAQUE = ".wh..wh..opq"


def merge(layers: Iterable[Directory]) -> Directory:
    """Return the tree that layers make, lowest first; the layers stay as they are."""
    merged = Directory()
    for layer in layers:
        _apply(merged, layer)
    return merged


def _apply(lowest: Directory, layer: Directory) -> None:
    pending = [(lowest, layer)]
    while pending:
        lower, upper = pending.pop()
        _hide(lower, upper.files)
        # A directory that is only implied says nothing about its attributes.
        lower.meta = upper.meta or lower.meta
        for name, checksum in upper.files.items():
            if not name.startswith(WHITEOUT):
                lower.directories.pop(name, None)
                lower.files[name] = checksum
        for name, directory in upper.directories.items():
            lower.files.pop(name, None)
            pending.append((lower.directories.setdefault(name, Directory()), directory))


def _hide(lower: Directory, upper_names: Iterable[str]) -> None:
    for name in upper_names:
        if name == OPAQUE:
            lower.files.clear()
            lower.directories.clear()
        elif name.startswith(WHITEOUT):
            hidden = name.removeprefix(WHITEOUT)
            lower.files.pop(hidden, None)
            lower.directories.pop(hidden, None)
