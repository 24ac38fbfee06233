"""Prune: free what no image and no deployment needs."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers import scratch
from os_containers.deployment.container import Container
from os_containers.errors import OsContainersError
from os_containers.operations.image_checkouts import abandoned_checkouts
from os_containers.operations.leftovers import remove_abandoned
from os_containers.operations.recover import recover_all
from os_containers.operations.retention import keep_only
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.ostree.pruning import Pruned, prune_repo, would_prune
from os_containers.ostree.repo import Repo


def prune(system: System) -> Pruned:
    """Remove layers, objects and leftovers that nothing needs, and return what was freed."""
    repo = system.repo()
    with contextlib.suppress(OsContainersError, OSError):
        recover_all(system, Start.WATCHED)  # it has told what it could not recover, and that stays
    with system.store_locked():
        remove_orphans(system, repo)
        return prune_repo(repo)


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What prune would remove from the store, and which paths outside it."""

    pruned: Pruned
    leftovers: tuple[Path, ...]
    interrupted: tuple[str, ...]


def plan_prune(system: System) -> PrunePlan:
    """Return what prune would remove now, and change nothing; interrupted changes would be ended first."""
    repo = system.repo()
    with system.store_in_use():
        orphaned = _orphaned(system)
        names = {one.name for one in orphaned}
        pins = {pin for pin in repo.pins.names() if pin[0] in names}.union(_orphaned_pins(system, repo))
        leftovers = (*_abandoned(system), *(one.directory for one in orphaned))
        return PrunePlan(would_prune(repo, without=pins), leftovers, tuple(system.journals.names()))


def remove_orphans(system: System, repo: Repo) -> None:
    """Remove what killed commands left in the state; the store is locked, so none is at work."""
    remove_abandoned(system)
    for container in _orphaned(system):
        keep_only(system, repo, container, ())
    for pin in _orphaned_pins(system, repo):
        repo.pins.remove(*pin)


def _abandoned(system: System) -> Iterator[Path]:
    for directory in (system.paths.staging, system.paths.trash):
        yield from scratch.find_abandoned(directory)
    yield from abandoned_checkouts(system)


def _orphaned(system: System) -> list[Container]:
    """Return the containers that never came to be; recovery needs those that a journal is about."""
    directory, interrupted = system.paths.deployments, system.journals.names()
    found = [system.named(one.name) for one in directory.iterdir()] if directory.is_dir() else []
    return [one for one in found if not one.exists() and one.name not in interrupted]


def _orphaned_pins(system: System, repo: Repo) -> Iterator[tuple[str, int]]:
    for name, serial in repo.pins.names():
        if not system.named(name).deployment_path(serial).is_dir():
            yield name, serial
