"""Recover: complete or undo every change that was interrupted, so that there is no third state.

The symlink NAME decides: while it names the leaving deployment, the change is undone; once it names the
entering one, the change is completed. At boot there is a second rule: a new version that was never seen to
run gives way to the one before it. A change that is proven is done: only what it left is removed. Its service
ran then, so if it does not run now, somebody else has stopped it.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from os_containers import scratch
from os_containers.deployment.container import Container, no_container
from os_containers.deployment.deployment import Deployment, load_deployment
from os_containers.deployment.history import unfinished
from os_containers.errors import BrokenError, BusyError, OsContainersError
from os_containers.events import Warned
from os_containers.faults import in_words
from os_containers.operations.adopt import adopt
from os_containers.operations.carry_out import complete, go_back, runs_on, tidy_up
from os_containers.operations.journal import Journal
from os_containers.operations.leftovers import (
    find_temporaries,
    known_names,
    remove_abandoned,
    remove_temporaries,
)
from os_containers.operations.lone_commands import find_lone, tell_lone, told_of_lone
from os_containers.operations.recoverable import recoverable, remove_recovery_unit, told_only
from os_containers.operations.retention import discard_unfinished
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.transition import Transition
from os_containers.ostree.repo import Repo


@contextlib.contextmanager
def settled(system: System, repo: Repo, container: Container) -> Iterator[None]:
    """Be the only command that changes a container, and find nothing of an interrupted change."""
    with system.locked(container), recoverable(system):
        recover(system, repo, container, Start.WATCHED)
        adopt(system, container)
        yield


def recover_named(system: System, name: str, how: Start) -> None:
    """Recover one container. Raises BusyError when another command is at work on it.

    Raises NotFoundError for a name of which nothing is here, not even what a killed command left.
    """
    container = _known_container(system, name)
    with system.locked(container):
        recover(system, system.repo(), container, how)
    remove_recovery_unit(system)


def _known_container(system: System, name: str) -> Container:
    container = system.container(name)
    # no state is made to look into it
    if not os.path.lexists(system.paths.state) or not _is_known(system, system.repo(), container):
        raise no_container(container)
    return container


def _is_known(system: System, repo: Repo, container: Container) -> bool:
    if container.exists() or container.name in known_names(system):
        return True
    if repo.pins.of(container.name):
        return True
    # what mkdtemp adds has no dash
    left = (one for top in (system.paths.staging, system.paths.trash) for one in scratch.find_abandoned(top))
    return any(one.name.startswith(f"{container.name}-") for one in left)


def recover_all(system: System, how: Start) -> None:
    """Recover every container, but those that another command is at work on: these are told.

    Raises the first error, when all others have had their turn.
    """
    failures = _recover_each(system, how) if system.paths.state.is_dir() else []
    # also of an install that was killed before its container had a name here
    remove_abandoned(system)
    remove_recovery_unit(system)
    tell_lone(system)
    if failures:
        raise failures[0]


def plan_recover(system: System, name: str | None) -> Iterator[str]:
    """Yield what recover would do, in words, while nothing else changes the containers.

    Raises NotFoundError for a name of which nothing is here, BrokenError for what recover cannot settle.
    """
    containers = [_known_container(system, name)] if name else map(system.named, known_names(system))
    for container in containers:
        with system.locked(container):
            yield from _planned(system, container)
    for directory in (system.paths.staging, system.paths.trash):
        yield from map(_to_be_removed, scratch.find_abandoned(directory))
    yield from (told_of_lone(system, one) for one in find_lone(system))


def _planned(system: System, container: Container) -> Iterator[str]:
    journal = system.journals.read(container.name)
    if journal:
        is_undone = _is_to_be_undone(container, journal, Start.WATCHED)
        end = "undone" if is_undone else "finished"
        runs_through = journal.is_proven or (is_undone and runs_on(system, _transition(container, journal)))
        is_stopped = journal.before.running and not runs_through
        service = "; its service is stopped and started for that" if is_stopped else ""
        yield f"{journal.operation} of {container.name} was interrupted: it would be {end}{service}"
    else:
        yield from (_to_be_removed(one.path) for one in unfinished(container))
    yield from map(_to_be_removed, find_temporaries(system, container))


def _to_be_removed(left: Path) -> str:
    return f"{left} would be removed: a killed command left it"


def _recover_each(system: System, how: Start) -> list[OsContainersError | OSError]:
    repo = system.repo()
    failures: list[OsContainersError | OSError] = []
    # a pin may be all that there is of an install that was killed
    pinned = {name for name, _ in repo.pins.names()}
    for name in sorted({*known_names(system), *pinned}):
        container = system.named(name)
        try:
            with system.at_once().locked(container):
                recover(system, repo, container, how)
        except BusyError as error:
            system.on_event(Warned(f"{name} is skipped: {error.message}"))
        except (OsContainersError, OSError) as error:
            system.on_event(Warned(f"{name}: {in_words(error)}"))
            failures.append(error)
    return failures


def recover(system: System, repo: Repo, container: Container, how: Start) -> None:
    """Complete or undo the interrupted change of a container, and remove what it left; its lock is held.

    Raises BrokenError, and touches nothing, when the journal does not fit what is there.
    """
    journal = system.journals.read(container.name)
    # first of all: what somebody wrote into a host file may have to be put back
    remove_temporaries(system, container)
    if journal:
        _resolve(system, repo, container, journal, how)
    discard_unfinished(system, repo, container)
    remove_abandoned(system)


def _resolve(system: System, repo: Repo, container: Container, journal: Journal, how: Start) -> None:
    is_undone = _is_to_be_undone(container, journal, how)
    transition = _transition(container, journal)
    target = journal.leaving if is_undone else journal.entering
    if target is not None and (transition.leaving if is_undone else transition.entering) is None:
        raise _does_not_fit(container, journal, f"deployment {target} is not there")
    what = f"{journal.operation} of {container.name} was interrupted"
    system.on_event(Warned(f"{what}: {'undoing' if is_undone else 'finishing'} it"))
    if is_undone:
        go_back(system, repo, transition, how)
    elif journal.is_proven:
        with told_only(system):
            tidy_up(system, repo, transition)
    else:
        complete(system, repo, transition, how)


def _is_to_be_undone(container: Container, journal: Journal, how: Start) -> bool:
    if journal.is_proven:
        return False
    if journal.leaving is None and journal.entering is None:
        return False  # the uninstall of a container too damaged to have anything to go back to
    active = container.active_path()
    leaving, entering = (_path(container, serial) for serial in (journal.leaving, journal.entering))
    if active not in {leaving, entering}:
        raise _does_not_fit(container, journal, f"active is {active}")
    is_unproven = how is Start.QUEUED and journal.after.running and leaving is not None
    return journal.is_undone or active == leaving or is_unproven


def _does_not_fit(container: Container, journal: Journal, fact: str) -> BrokenError:
    said = f"the journal of {container.name} is about deployments {journal.leaving} and {journal.entering}"
    return BrokenError(
        f"{said}, but {fact}",
        hint=f"os-containers check says more; os-containers uninstall {container.name} still works",
    )


def _transition(container: Container, journal: Journal) -> Transition:
    return Transition(
        operation=journal.operation,
        container=container,
        leaving=_load(container, journal.leaving),
        entering=_load(container, journal.entering),
        before=journal.before,
        after=journal.after,
        is_fresh=journal.is_fresh,
        missing=journal.missing,
    )


def _load(container: Container, serial: int | None) -> Deployment | None:
    path = _path(container, serial)
    # the end of an uninstall, and of a way back, removes a deployment before the journal
    return load_deployment(container.name, path) if path and path.is_dir() else None


def _path(container: Container, serial: int | None) -> Path | None:
    return container.deployment_path(serial) if serial is not None else None
