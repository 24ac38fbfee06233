"""Which objects commits need, and what they take on the disk.

An object is CHECKSUM.KIND; its size is that of its file, as libostree counts when it prunes.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from os_containers import files
from os_containers.ostree.objects import path_in_objects, read_commit, read_dirtree


def reachable(repo: Path, commits: Iterable[str]) -> set[str]:
    """Return all objects that commits need. Raises BrokenError when a commit or a dirtree is missing."""
    names: set[str] = set()
    for checksum in commits:
        commit = read_commit(repo, checksum)
        names |= {f"{checksum}.commit", f"{commit.dirmeta}.dirmeta"}
        _add_tree(repo, commit.dirtree, names)
    return names


def _add_tree(repo: Path, checksum: str, names: set[str]) -> None:
    pending = [checksum]
    while pending:
        tree = pending.pop()
        # what images share is read once
        if f"{tree}.dirtree" in names:
            continue
        names.add(f"{tree}.dirtree")
        inside, inner = read_dirtree(repo, tree)
        names.update(f"{one}.file" for one in inside.values())
        names.update(f"{meta}.dirmeta" for _, meta in inner.values())
        pending += [one for one, _ in inner.values()]


def all_objects(repo: Path) -> set[str]:
    """Return the objects that are here."""
    names: set[str] = set()
    with os.scandir(repo / "objects") as directories:
        for directory in directories:
            if len(directory.name) == 2 and directory.is_dir(follow_symlinks=False):  # noqa: PLR2004 - as OSTree
                names.update(directory.name + name for name in os.listdir(directory.path))  # noqa: PTH208
    return names


def object_sizes(repo: Path, names: Iterable[str]) -> dict[str, int]:
    """Return the bytes of those objects that are here."""
    sizes = {}
    with files.opened_directory(repo / "objects", os.O_PATH) as objects:
        for name in names:
            try:
                status = os.stat(path_in_objects(name), dir_fd=objects, follow_symlinks=False)
            except FileNotFoundError:
                continue
            sizes[name] = status.st_size
    return sizes
