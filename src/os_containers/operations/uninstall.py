"""Uninstall: nothing of ours stays on the host but what a person changed, and the container's data."""

import os

from os_containers import trees
from os_containers.deployment.container import Container, no_container
from os_containers.deployment.deployment import Deployment, load_deployment
from os_containers.deployment.exports import FileKind
from os_containers.errors import BrokenError, ConflictError, NotFoundError, OsContainersError
from os_containers.events import Warned
from os_containers.operations.adopt import adopt
from os_containers.operations.carry_out import carry_out
from os_containers.operations.host_changes import unrecorded_files
from os_containers.operations.journal import ServiceState
from os_containers.operations.recover import recover
from os_containers.operations.recoverable import recoverable, told_only
from os_containers.operations.service import Start, state_of_next, state_to_keep, unit_state
from os_containers.operations.system import System
from os_containers.operations.transition import Transition
from os_containers.ostree.repo import Repo


def uninstall(system: System, name: str) -> None:
    """Remove a container with all its deployments; its image stays in the store.

    One that the distribution brings is active again. Raises BusyError, and changes nothing, when something is
    mounted in a deployment, ConflictError for a container that is the distribution's alone.
    """
    container = system.container(name)
    was_interrupted = name in system.journals.names()
    check_there(system, name)
    repo = system.repo()
    with system.locked(container), recoverable(system):
        _recover_if_possible(system, repo, container)
        with told_only(system):
            adopt(system, container)
        if was_interrupted and not _has_own(container):
            return  # that was the end of an uninstall
        transition = leave(system, container)
        left = unrecorded_left(transition)
        carry_out(system, repo, transition)
        for step in left:
            system.tell(step)


def leave(system: System, container: Container) -> Transition:
    """Return the change by which a container goes. Raises BusyError when something is mounted in it."""
    leaving = _leaving(system, container)
    factory = load_deployment(container.name, container.factory) if container.factory else None
    unit = unit_state(system, container)
    for path in (container.directory, *container.predecessors.values()):
        if path.exists():
            trees.refuse_mounts(path)
    after = ServiceState(running=False, enabled=False)
    if factory:
        after = state_of_next(unit, leaving) if leaving else state_to_keep(unit)
    return Transition(
        operation="uninstall",
        container=container,
        leaving=leaving,
        entering=factory,
        before=state_to_keep(unit),
        after=after,
    )


def _has_own(container: Container) -> bool:
    """Tell whether there is anything to uninstall."""
    return container.link.is_symlink() or bool(container.serials())


def unrecorded_left(transition: Transition) -> list[str]:
    """Return what is told of host files that may be ours and stay: their record is damaged."""
    leaving = transition.leaving
    recorded = {file.path for file in leaving.record.installed} if leaving else set()
    brought = (one for one in unrecorded_files(transition.container) if one.kind is not FileKind.DIRECTORY)
    left = (one.path for one in brought if one.path not in recorded and os.path.lexists(one.path))
    return [f"kept {path}: no record says whether it was there before" for path in left]


def _recover_if_possible(system: System, repo: Repo, container: Container) -> None:
    try:
        recover(system, repo, container, Start.WATCHED)
    except OsContainersError as error:
        # what cannot be mended can still be removed
        system.on_event(Warned(error.message))


def check_there(system: System, name: str) -> None:
    """Raise NotFoundError when there is nothing to uninstall; an interrupted change is something."""
    container = system.container(name)
    if name in system.journals.names():
        return
    if container.is_blocked and not container.factory:
        raise BrokenError(f"{container.link} is not a symlink", hint="move it away, then try again")
    if not container.exists():
        raise no_container(container)
    if not _has_own(container):
        raise ConflictError(
            f"{name} is part of the system, in {container.factory}",
            hint="remove its package, or keep it from starting: systemctl disable " + name,
        )


def _leaving(system: System, container: Container) -> Deployment | None:
    """Return the active deployment; of a damaged container the newest whose record says what it installed."""
    try:
        return container.current()
    except (BrokenError, NotFoundError) as error:
        system.on_event(Warned(error.message))
        readable = container.readable()
        return container.lost() or (readable[-1] if readable else None)
