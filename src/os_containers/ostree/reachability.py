"""Which objects commits need, and what they take on the disk.

An object is CHECKSUM.KIND; its size is that of its file, as libostree counts when it prunes.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from os_containers import files
from os_containers.errors import BrokenError
from os_containers.ostree.objects import object_path, path_in_objects, read_commit, read_dirtree

_Dirtree = tuple[dict[str, str], dict[str, tuple[str, str]]]


def reachable(repo: Path, commits: Iterable[str]) -> set[str]:
    """Return all objects that commits need. Raises BrokenError when a commit or a dirtree is missing."""
    names: set[str] = set()
    for checksum in commits:
        commit = read_commit(repo, checksum)
        names |= {f"{checksum}.commit", f"{commit.dirmeta}.dirmeta"}
        _add_tree(repo, commit.dirtree, names, read_dirtree)
    return names


def reachable_for_others(repo: Path, commits: Iterable[str]) -> set[str]:
    """Return the same of commits and their history; of one that was not fetched whole, what can be read."""
    found = with_parents(repo, commits)
    # libostree marks those of which it wanted the commit alone, and those whose fetch was interrupted
    partial = {one for one in found if os.path.lexists(repo / "state" / f"{one}.commitpartial")}
    return reachable(repo, found - partial) | known(repo, partial)


def known(repo: Path, commits: Iterable[str]) -> set[str]:
    """Return the same as far as it can be read: what is beneath a damaged or missing part is not known."""
    names: set[str] = set()
    for checksum in commits:
        names.add(f"{checksum}.commit")
        with contextlib.suppress(BrokenError):
            commit = read_commit(repo, checksum)
            names.add(f"{commit.dirmeta}.dirmeta")
            _add_tree(repo, commit.dirtree, names, _read_if_whole)
    return names


def with_parents(repo: Path, commits: Iterable[str]) -> set[str]:
    """Return commits and those before them that are here: others than we keep a history."""
    found: set[str] = set()
    pending = list(commits)
    while pending:
        checksum = pending.pop()
        if checksum in found:
            continue
        found.add(checksum)
        with contextlib.suppress(BrokenError):
            parent = read_commit(repo, checksum).parent
            if parent and os.path.lexists(object_path(repo, f"{parent}.commit")):
                pending.append(parent)
    return found


def _read_if_whole(repo: Path, checksum: str) -> _Dirtree:
    try:
        return read_dirtree(repo, checksum)
    except BrokenError:
        return {}, {}


def _add_tree(repo: Path, checksum: str, names: set[str], read: Callable[[Path, str], _Dirtree]) -> None:
    pending = [checksum]
    while pending:
        tree = pending.pop()
        # what images share is read once
        if f"{tree}.dirtree" in names:
            continue
        names.add(f"{tree}.dirtree")
        inside, inner = read(repo, tree)
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
