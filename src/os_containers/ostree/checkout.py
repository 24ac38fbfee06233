"""A merged commit, or a directory of it, as a directory, by hard links."""

import os
from pathlib import Path

from os_containers.errors import BrokenError, ConflictError, ImageError, SystemFaultError
from os_containers.faults import next_step
from os_containers.ostree.links import link_tree
from os_containers.ostree.objects import read_commit, read_dirtree, read_tree
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import SIZE
from os_containers.ostree.tree import Directory
from os_containers.ostree.verification import damaged_in_tree
from os_containers.paths import Mode
from os_containers.selinux import Labels, host_labels


def checkout(repo: Repo, commit: str, rootfs: Path, *, labels: Labels | None = None) -> None:
    """Create rootfs as the tree of an image; it is not durable before the caller syncs.

    labels are those of SELinux: / for its top, for the directories in it that of all images.
    Raises BrokenError, and creates nothing, when anything in it is not what was pulled.
    """
    if os.path.lexists(rootfs):
        raise ConflictError(f"{rootfs} already exists")
    # The predecessor's commit of an image holds no files, and one of a layer is not meant to be seen.
    if repo.metadata(commit, SIZE) is None:
        raise BrokenError(f"commit {commit} is not a merged image", hint="pull the image again")
    labels = labels or host_labels()
    _check_out(repo, repo.tree(commit), rootfs, label=labels.of_images())
    if repo.mode is Mode.SYSTEM:
        # last: what is made in it has the label of images by inheritance
        labels.give(rootfs, "/")


def checkout_part(repo: Repo, commit: str, name: str, rootfs: Path) -> None:
    """Create rootfs with nothing but one of an image's topmost directories; it is empty when there is none.

    Raises ImageError when that is no directory, BrokenError for what is not what was pulled.
    """
    rootfs.mkdir()
    files, directories = read_dirtree(repo.path, read_commit(repo.path, commit).dirtree)
    if name in files:
        raise ImageError(f"/{name} of the image is not a directory")
    if name in directories:
        _check_out(repo, read_tree(repo.path, *directories[name]), rootfs / name)


def _check_out(repo: Repo, tree: Directory, directory: Path, *, label: bytes | None = None) -> None:
    if damaged := damaged_in_tree(repo.path, repo.mode, tree):
        raise BrokenError(
            f"{len(damaged)} objects of the image are damaged or missing: {damaged[0]}",
            hint="os-containers repair fetches them again",
        )
    try:
        link_tree(repo.path, repo.mode, tree, directory, label=label)
    except OSError as error:
        raise SystemFaultError(
            f"cannot check out {directory}: {error.strerror}", hint=next_step(error)
        ) from error
