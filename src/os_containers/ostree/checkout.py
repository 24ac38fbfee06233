"""A merged commit as a directory, by hard links."""

import os
from pathlib import Path

from os_containers.errors import BrokenError, ConflictError, SystemFaultError
from os_containers.faults import next_step
from os_containers.ostree.links import link_tree
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import SIZE
from os_containers.ostree.verification import damaged_in_tree


def checkout(repo: Repo, commit: str, rootfs: Path) -> None:
    """Create rootfs as the tree of an image; it is not durable before the caller syncs.

    Raises BrokenError, and creates nothing, when anything in it is not what was pulled.
    """
    if os.path.lexists(rootfs):
        raise ConflictError(f"{rootfs} exists already")
    # The predecessor's commit of an image holds no files, and one of a layer is not meant to be seen.
    if repo.metadata(commit, SIZE) is None:
        raise BrokenError(f"commit {commit} is not a merged image", hint="pull the image again")
    tree = repo.tree(commit)
    if damaged := damaged_in_tree(repo.path, repo.mode, tree):
        raise BrokenError(
            f"{len(damaged)} objects of the image are damaged or missing: {damaged[0]}",
            hint="os-containers repair fetches them anew",
        )
    try:
        link_tree(repo.path, repo.mode, tree, rootfs)
    except OSError as error:
        raise SystemFaultError(
            f"cannot check out {rootfs}: {error.strerror}", hint=next_step(error)
        ) from error
