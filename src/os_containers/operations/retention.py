"""Which deployments stay: the active one and those before it, as many as config.toml says; usually one."""

import contextlib
from collections.abc import Collection, Sequence

from os_containers import files, trees
from os_containers.deployment.container import Container
from os_containers.deployment.history import once_active, unfinished
from os_containers.errors import BusyError
from os_containers.events import Warned
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.scratch import scratch_directory


def discard(system: System, repo: Repo, container: Container, serial: int) -> None:
    """Remove a deployment and let go of its commit; the active one, and one that is not there, stays so.

    Raises BusyError when something is mounted in it.
    """
    path = container.deployment_path(serial)
    if container.active_path() == path:
        return
    if path.exists():
        trees.refuse_mounts(path)
    files.make_directory(system.paths.trash, mode=0o700)
    # what cannot be removed at once is nothing that anybody sees
    with scratch_directory(system.paths.trash, f"{container.name}-{serial}-") as trash:
        with contextlib.suppress(FileNotFoundError):
            path.rename(trash.path / "deployment")
            files.fsync_directory(path.parent)
        repo.pins.remove(container.name, serial)
    _remove_empty(container)


def keep_only(system: System, repo: Repo, container: Container, serials: Collection[int]) -> None:
    """Discard every deployment of a container but those given; one that is in use is told, and stays."""
    for serial in container.serials():
        if serial in serials:
            continue
        try:
            discard(system, repo, container, serial)
        except BusyError as error:
            system.on_event(Warned(f"{container.deployment_path(serial)} stays: {error.message}"))


def retained(system: System, container: Container, latest: Sequence[int]) -> list[int]:
    """Return the latest active deployments, the newest first, and older ones as is configured."""
    others = [one.serial for one in once_active(container)]
    wanted = [*latest, *(serial for serial in reversed(others) if serial not in latest)]
    return wanted[: system.config.general.retention]


def discard_unfinished(system: System, repo: Repo, container: Container) -> None:
    """Discard the deployments of a container that never came to be active, and pins without a deployment."""
    readable = container.readable()
    finished = set(container.serials()) - {one.serial for one in unfinished(container)}
    kept = finished if container.exists() else set()
    keep_only(system, repo, container, kept)
    for serial in repo.pins.of(container.name):
        if not container.deployment_path(serial).is_dir():
            repo.pins.remove(container.name, serial)
    for one in readable:
        if one.serial in kept:
            repo.pins.take_over(container.name, one.serial, one.record.commit)
    _remove_empty(container)


def _remove_empty(container: Container) -> None:
    """Remove the directory of a container's deployments when there is none in it."""
    if container.directory.is_dir() and not container.serials():
        files.unlink_durable(container.spare_link)
        files.remove_if_empty(container.directory)
