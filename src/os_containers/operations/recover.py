"""Recover: end or undo every change that was interrupted, so that there is no third state.

The symlink NAME decides: while it names the leaving deployment, nothing counts yet and the change is undone;
once it names the entering one, the change is ended. At boot there is a second rule: a new version that ran
for no moment yet gives way to the one that is known to run.
"""

import contextlib
from collections.abc import Iterator

from os_containers import scratch
from os_containers.deployment.container import Container, Deployment, load_deployment
from os_containers.errors import BrokenError, BusyError, OsContainersError
from os_containers.events import Warned
from os_containers.operations.journal import Journal
from os_containers.operations.leftovers import remove_temporaries
from os_containers.operations.retention import discard_unfinished
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, complete, go_back
from os_containers.ostree.repo import Repo


@contextlib.contextmanager
def settled(system: System, repo: Repo, container: Container) -> Iterator[None]:
    """Be the only command that changes a container, and find nothing of an interrupted change."""
    with system.locked(container):
        recover(system, repo, container, Start.WATCHED)
        yield


def recover_named(system: System, name: str, how: Start) -> None:
    """Recover one container. Raises BusyError when another command is at work on it."""
    container = system.container(name)
    repo = system.repo()
    with system.locked(container):
        recover(system, repo, container, how)


def recover_all(system: System, how: Start) -> None:
    """Recover every container that needs it, but those that another command is at work on.

    Raises the first error, when all others have had their turn.
    """
    repo = system.repo()
    failures = []
    for name in _unsettled(system):
        try:
            with system.at_once().locked(system.container(name)):
                recover(system, repo, system.container(name), how)
        except BusyError as error:
            system.on_event(Warned(f"{name} is left alone: {error.message}"))
        except (OsContainersError, OSError) as error:
            system.on_event(Warned(f"{name}: {error}"))
            failures.append(error)
    if failures:
        raise failures[0]


def recover(system: System, repo: Repo, container: Container, how: Start) -> None:
    """End or undo the interrupted change of a container, and remove what it left; its lock is held.

    Raises BrokenError, and touches nothing, when the journal does not fit what is there.
    """
    journal = system.journals.read(container.name)
    if journal:
        _resolve(system, repo, container, journal, how)
    remove_temporaries(system, container)
    discard_unfinished(system, repo, container)
    for directory in (system.paths.staging, system.paths.trash):
        scratch.remove_abandoned(directory)


def _resolve(system: System, repo: Repo, container: Container, journal: Journal, how: Start) -> None:
    transition = _transition(container, journal)
    if _is_to_be_undone(container, transition, journal, how):
        system.on_event(Warned(f"{journal.operation} of {container.name} was interrupted: undoing it"))
        go_back(system, repo, transition, how)
    else:
        system.on_event(Warned(f"{journal.operation} of {container.name} was interrupted: finishing it"))
        complete(system, repo, transition, how)


def _is_to_be_undone(container: Container, transition: Transition, journal: Journal, how: Start) -> bool:
    active = container.active_path()
    leaving = transition.leaving.path if transition.leaving else None
    entering = transition.entering.path if transition.entering else None
    if leaving == entering:
        return False  # the uninstall of a container too damaged to have anything to go back to
    if active not in {leaving, entering}:
        raise BrokenError(
            f"the journal of {container.name} is about deployments {journal.leaving} and {journal.entering},"
            f" but active is {active}",
            hint="os-containers check says more",
        )
    is_unproven = how is Start.QUEUED and journal.after.running and leaving is not None
    return journal.is_undone or active == leaving or is_unproven


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
    if serial is None:
        return None
    path = container.deployment_path(serial)
    # the end of an uninstall, and of a way back, removes a deployment before the journal
    return load_deployment(container.name, path) if path.is_dir() else None


def _unsettled(system: System) -> list[str]:
    """Return the containers with a journal, and those whose deployments are all that there is of them."""
    deployments = system.paths.deployments
    names = {one.name for one in deployments.iterdir()} if deployments.is_dir() else set()
    orphans = {name for name in names if not system.container(name).exists()}
    return sorted({*system.journals.names(), *orphans})
