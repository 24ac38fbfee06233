"""Prune: free what no image and no deployment needs."""

import contextlib

from os_containers import scratch
from os_containers.deployment.container import Container
from os_containers.errors import OsContainersError
from os_containers.operations.recover import recover_all
from os_containers.operations.retention import keep_only
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.ostree.repo import Pruned, Repo


def prune(system: System) -> Pruned:
    """Remove layers, objects and leftovers that nothing needs, and return what was freed."""
    repo = system.repo()
    with contextlib.suppress(OsContainersError, OSError):
        recover_all(system, Start.WATCHED)  # it has told what it could not recover, and that stays
    with system.store_locked():
        remove_orphans(system, repo)
        return repo.prune()


def remove_orphans(system: System, repo: Repo) -> None:
    """Remove what killed commands left in the state; the store is locked, so none is at work."""
    for directory in (system.paths.staging, system.paths.trash):
        scratch.remove_abandoned(directory)
    _remove_orphaned_deployments(system, repo)
    _drop_orphaned_pins(system, repo)


def _remove_orphaned_deployments(system: System, repo: Repo) -> None:
    """Remove deployments whose container never came to be; recovery needs those that a journal is about."""
    directory, interrupted = system.paths.deployments, system.journals.names()
    for one in directory.iterdir() if directory.is_dir() else ():
        container = Container(one.name, system.paths.state)
        if container.exists() or container.name in interrupted:
            continue
        if not container.lost():
            keep_only(system, repo, container, ())


def _drop_orphaned_pins(system: System, repo: Repo) -> None:
    for name, serial in repo.pin_names():
        if not Container(name, system.paths.state).deployment_path(serial).is_dir():
            repo.unpin(name, serial)
