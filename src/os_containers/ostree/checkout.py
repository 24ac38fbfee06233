"""A merged commit as a directory, by hard links."""

import os
from pathlib import Path

from os_containers.errors import BrokenError, ConflictError
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import SIZE


def checkout(repo: Repo, commit: str, rootfs: Path) -> None:
    """Create rootfs as the tree of an image; it is not durable before the caller syncs.

    Raises BrokenError, and creates nothing, when anything in it is not what was pulled.
    """
    if os.path.lexists(rootfs):
        raise ConflictError(f"{rootfs} exists already")
    # The predecessor's commit of an image holds no files, and one of a layer is not meant to be seen.
    if repo.metadata(commit, SIZE) is None:
        raise BrokenError(f"commit {commit} is not a merged image", hint="pull the image again")
    if damaged := repo.find_damaged(commit):
        raise BrokenError(
            f"{len(damaged)} objects of the image are damaged or missing: {damaged[0]}",
            hint="os-containers repair fetches them anew",
        )
    repo.libostree.checkout(commit, rootfs, repo.mode)
