"""Check: every invariant that does not hold, of the store, the containers and the host. Changes nothing."""

import contextlib
from collections.abc import Iterator

from os_containers import scratch
from os_containers.deployment.container import all_and_factories, all_containers
from os_containers.deployment.exports import FileKind
from os_containers.errors import BrokenError, BusyError, NotFoundError
from os_containers.events import Warned
from os_containers.host.recovery_unit import RecoveryUnit
from os_containers.operations.check_container import check_container
from os_containers.operations.check_store import Depth, Store, check_store, open_store
from os_containers.operations.image_checkouts import abandoned_checkouts
from os_containers.operations.leftovers import known_names
from os_containers.operations.lone_commands import tell_lone
from os_containers.operations.problem import MOVE_AWAY, Problem
from os_containers.operations.recoverable import is_recovery_unit_needed
from os_containers.operations.system import System


def check(system: System, depth: Depth) -> list[Problem]:
    """Return all problems; none means that everything promised holds. Nothing is changed.

    What others are changing meanwhile is told. Raises BusyError when that is all that there is to tell:
    nobody knows then whether everything holds.
    """
    misplaced = system.misplaced()
    if misplaced or not system.paths.state.is_dir():
        # without these no lock can be had, so nothing else is looked at
        return [Problem("I1", "this is not a directory", str(path), MOVE_AWAY) for path in misplaced]
    store = open_store(system)
    problems = list(store.problems)
    busy: list[BusyError] = []
    for name in sorted({*known_names(system), *(one.name for one in all_and_factories(system.paths))}):
        with _unless_busy(system, name, busy) as patient:
            problems += _check_alone(patient, store, name, depth)
    problems += _check_ownership(system)
    problems += _check_abandoned(system)
    tell_lone(system)
    if store.repo:
        with _unless_busy(system, "the store", busy) as patient:
            problems += check_store(patient, store.repo, depth)
    if busy and not problems:
        raise BusyError("nothing wrong was found, but not everything could be checked", hint=busy[0].hint)
    return problems


@contextlib.contextmanager
def _unless_busy(system: System, what: str, busy: list[BusyError]) -> Iterator[System]:
    """Tell what somebody else is changing, and go on with the rest; who has waited once waits no more."""
    try:
        yield system.at_once() if busy else system
    except BusyError as error:
        system.on_event(Warned(f"{what} is not checked: {error.message}"))
        busy.append(error)


def _check_alone(system: System, store: Store, name: str, depth: Depth) -> list[Problem]:
    """Check a container while nobody changes it."""
    container = system.named(name)
    with system.locked(container):
        return list(check_container(system, store, container, depth))


def _check_ownership(system: System) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for container in all_containers(system.paths):
        try:
            installed = container.current().record.installed
        except (BrokenError, NotFoundError):
            continue  # told already, or uninstalled meanwhile
        for file in installed:
            owner = owners.setdefault(file.path, container.name)
            if owner != container.name and file.kind is not FileKind.DIRECTORY:
                what = f"this file belongs to {owner} and to {container.name}"
                yield Problem("I6", what, file.path, f"uninstall one of them: {owner}, {container.name}")


def _check_abandoned(system: System) -> Iterator[Problem]:
    for directory in (system.paths.staging, system.paths.trash):
        for left in scratch.find_abandoned(directory):
            yield Problem("I12", "a killed command left this", str(left), "os-containers recover")
    for left in abandoned_checkouts(system):
        # as after umount(8), or a reboot
        what = "an image was mounted here, but no longer is"
        system.tell(f"{left}: {what}: the next command that changes something removes it")
    if not is_recovery_unit_needed(system):
        for path in RecoveryUnit.find(system.paths).present():
            what = "there is no longer a container that this unit could recover"
            yield Problem("I16", what, str(path), "os-containers recover")
