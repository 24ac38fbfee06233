"""Which deployments stay: the active one and the one before it."""

import contextlib
import secrets
from collections.abc import Collection

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.errors import BusyError
from os_containers.events import Warned
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo


def discard(system: System, repo: Repo, container: Container, serial: int) -> None:
    """Remove a deployment and let go of its commit; the active one, and one that is not there, stays so.

    Raises BusyError when something is mounted in it.
    """
    path = container.deployment_path(serial)
    if container.active_path() == path:
        return
    if path.exists():
        files.refuse_mounts(path)
    trash = system.paths.trash / secrets.token_hex(8)
    files.make_directory(trash.parent, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        path.rename(trash)
        files.fsync_directory(container.directory)
        files.remove_tree(trash)
    repo.unpin(container.name, serial)
    with contextlib.suppress(OSError):
        container.directory.rmdir()  # that was the last one


def keep_only(system: System, repo: Repo, container: Container, serials: Collection[int]) -> None:
    """Discard every deployment of a container but those given; one that is in use is told, and stays."""
    for serial in container.serials():
        if serial in serials:
            continue
        try:
            discard(system, repo, container, serial)
        except BusyError as error:
            system.on_event(Warned(f"{container.deployment_path(serial)} stays: {error.message}"))
