"""The files of a deployment's rootfs: each is one with the object of the repo that it was made of."""

from collections.abc import Iterator
from pathlib import Path

from os_containers.deployment.container import Deployment
from os_containers.ostree.objects import object_path
from os_containers.ostree.repo import Repo
from os_containers.ostree.tree import Directory


def unlinked_files(repo: Repo, deployment: Deployment) -> Iterator[tuple[Path, Path]]:
    """Yield each file of a rootfs that is missing or another one, and the object that it should be.

    Raises BrokenError when the commit of the deployment is not whole.
    """
    for path, checksum in _files(repo.whole_tree(deployment.record.commit)):
        here, there = deployment.rootfs / path, Path(object_path(repo.path, f"{checksum}.file"))
        # a symlink is no hard link in the rootfs, and what is no file is told with the store
        if there.is_file() and not there.is_symlink() and not _is_same(here, there):
            yield here, there


def _is_same(here: Path, there: Path) -> bool:
    # what the user's repo keeps as a file may be a symlink
    return here.is_symlink() or (here.exists() and here.samefile(there))


def _files(root: Directory) -> Iterator[tuple[str, str]]:
    pending = [("", root)]
    while pending:
        path, directory = pending.pop()
        yield from ((f"{path}{name}", checksum) for name, checksum in directory.files.items())
        pending += [(f"{path}{name}/", inner) for name, inner in directory.directories.items()]
