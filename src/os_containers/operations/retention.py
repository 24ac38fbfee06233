"""Which deployments stay: the active one and the one before it."""

import contextlib
import secrets
from collections.abc import Collection

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo


def discard(system: System, repo: Repo, container: Container, serial: int) -> None:
    """Remove a deployment that is not active, and let go of its commit."""
    trash = system.paths.trash / secrets.token_hex(8)
    files.make_directory(trash.parent, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        container.deployment_path(serial).rename(trash)
        files.fsync_directory(container.directory)
        files.remove_tree(trash)
    repo.unpin(container.name, serial)
    with contextlib.suppress(OSError):
        container.directory.rmdir()  # that was the last one


def keep_only(system: System, repo: Repo, container: Container, serials: Collection[int]) -> None:
    """Discard every deployment of a container but those given."""
    for serial in container.serials():
        if serial not in serials:
            discard(system, repo, container, serial)
