"""Prune: free what no image and no deployment needs."""

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.operations.retention import keep_only
from os_containers.operations.system import System
from os_containers.ostree.repo import Pruned, Repo


def prune(system: System) -> Pruned:
    """Remove layers, objects and leftovers that nothing needs, and return what was freed."""
    repo = system.repo()
    with system.store_locked():
        _remove_leftovers(system)
        _remove_orphaned_deployments(system, repo)
        _drop_orphaned_pins(system, repo)
        return repo.prune()


def _remove_leftovers(system: System) -> None:
    # whoever stages or discards uses the store: nobody does now
    for directory in (system.paths.staging, system.paths.trash):
        for leftover in directory.iterdir() if directory.is_dir() else ():
            files.remove_tree(leftover)


def _remove_orphaned_deployments(system: System, repo: Repo) -> None:
    """Remove deployments whose container never came to be."""
    directory = system.paths.deployments
    for one in directory.iterdir() if directory.is_dir() else ():
        container = Container(one.name, system.paths.state)
        if not container.exists():
            keep_only(system, repo, container, ())


def _drop_orphaned_pins(system: System, repo: Repo) -> None:
    for name, serial in repo.pins():
        if not Container(name, system.paths.state).deployment_path(serial).is_dir():
            repo.unpin(name, serial)
