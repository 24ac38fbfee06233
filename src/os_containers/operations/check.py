"""Check: every invariant that does not hold, in words; the store, the containers, the host. Changes nothing.

The numbers are those of docs/RELIABILITY.md.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from os_containers import scratch
from os_containers.deployment.container import Container, Deployment, all_containers, reinstall
from os_containers.deployment.exports import FileKind
from os_containers.deployment.soundness import lacks_unit, unusable_parts
from os_containers.errors import BrokenError, BusyError, NotFoundError
from os_containers.events import Warned
from os_containers.host import unit
from os_containers.host.drift import Drift, drifted_files
from os_containers.host.recovery_unit import RecoveryUnit
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.host_changes import is_recovery_unit_needed
from os_containers.operations.leftovers import find_temporaries, known_names
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.creation import without_repo
from os_containers.ostree.repo import Repo
from os_containers.ostree.verification import damaged_objects


@dataclass(frozen=True, slots=True)
class Problem:
    """An invariant that does not hold: what is wrong, where, and what to do."""

    invariant: str
    what: str
    where: str
    hint: str


class Depth(Enum):
    """How closely the store is looked at."""

    NAMES = "every object that is needed is there"
    CONTENT = "and every object is what its checksum says"


REPAIR = "os-containers repair mends it"
MOVE_AWAY = "move it away, then: os-containers repair"
PUT_BACK = "os-containers repair puts it back; a file of your own, an empty one too, stays in its place"


def check(system: System, depth: Depth) -> list[Problem]:
    """Return all problems; none means that everything promised holds. Nothing is changed.

    What others are changing meanwhile is told. Raises BusyError when that is all that there is to tell:
    nobody knows then whether everything holds.
    """
    misplaced = system.misplaced()
    if misplaced or not system.paths.state.is_dir():
        # without these no lock can be had, so nothing else is looked at
        return [Problem("I1", "this is no directory", str(path), MOVE_AWAY) for path in misplaced]
    store = _open_store(system)
    problems = list(store.problems)
    busy: list[BusyError] = []
    for name in known_names(system):
        with _unless_busy(system, name, busy) as patient:
            problems += _check_alone(patient, store, name)
    problems += _check_ownership(system)
    problems += _check_abandoned(system)
    if store.repo:
        with _unless_busy(system, "the store", busy) as patient:
            problems += _check_store(patient, store.repo, depth)
    if busy and not problems:
        raise BusyError("nothing wrong was found, but not all could be looked at", hint=busy[0].hint)
    return problems


@contextlib.contextmanager
def _unless_busy(system: System, what: str, busy: list[BusyError]) -> Iterator[System]:
    """Tell what somebody else is changing, and go on with the rest; who has waited once waits no more."""
    try:
        yield system.at_once() if busy else system
    except BusyError as error:
        system.on_event(Warned(f"{what} is not checked: {error.message}"))
        busy.append(error)


@dataclass(frozen=True, slots=True)
class _Store:
    """The repo, None where there is none yet or none to be opened; and what is wrong with it as a whole."""

    repo: Repo | None = None
    problems: tuple[Problem, ...] = ()


def _open_store(system: System) -> _Store:
    path = system.paths.repo
    # opening it would make one
    if not (path / "config").exists():
        lost = any(path.glob("objects/*/*"))
        no_config = Problem("I9", "the repo has no config", str(path), without_repo(path))
        return _Store(problems=(no_config,) if lost else ())
    try:
        return _Store(system.repo())
    except BrokenError as error:
        return _Store(problems=(Problem("I9", error.message, str(path), error.hint or without_repo(path)),))


def _check_alone(system: System, store: _Store, name: str) -> list[Problem]:
    """Check a container while nobody changes it."""
    container = Container(name, system.paths.state)
    with system.locked(container):
        return list(_check_container(system, store, container))


def _check_container(system: System, store: _Store, container: Container) -> Iterator[Problem]:
    recover = f"os-containers recover {container.name}"
    yield from _check_journal(system, container, recover)
    for temporary in find_temporaries(system, container):
        yield Problem("I5", "a killed command left a temporary file", str(temporary), recover)
    if not container.exists():
        yield from _check_no_container(container, recover)
        return
    try:
        deployment = container.current()
        yield from _check_bundle(deployment)
        yield from unit_file_problems(system, deployment)
        yield from _check_host_files(system, deployment)
        yield from _check_others(container, deployment)
        yield from _check_pins(store, container)
    except BrokenError as error:
        hint = REPAIR if container.lost() else error.hint or reinstall(container.name)
        yield Problem("I1", error.message, str(container.link), hint)


def _check_journal(system: System, container: Container, recover: str) -> Iterator[Problem]:
    path = str(system.journals.path(container.name))
    try:
        if system.journals.read(container.name):
            yield Problem("I13", f"a change of {container.name} was interrupted", path, recover)
    except BrokenError as error:
        yield Problem("I13", error.message.removeprefix(f"{path}: "), path, error.hint or recover)


def _check_no_container(container: Container, recover: str) -> Iterator[Problem]:
    lost = container.lost()
    if container.link.exists():
        hint = MOVE_AWAY if lost else "move it away"
        yield Problem("I1", "this is no symlink to a deployment", str(container.link), hint)
    elif lost:
        what = f"the symlink is missing, which named deployment {lost.serial}"
        yield Problem("I1", what, str(container.link), REPAIR)
    if container.directory.exists() and not lost:
        what = f"deployments are left of {container.name}, which is no container"
        yield Problem("I16", what, str(container.directory), recover)


def _check_bundle(deployment: Deployment) -> Iterator[Problem]:
    for path, what in unusable_parts(deployment):
        yield Problem("I1", what, str(path), REPAIR)


def unit_file_problems(system: System, deployment: Deployment) -> Iterator[Problem]:
    """Yield the unit files on the host that are not those of the active deployment."""
    if not deployment.record.has_service or lacks_unit(deployment):
        return
    unit_files = UnitFiles.find(system.paths, deployment.container)
    expected = {
        unit_files.unit: {deployment.unit_text()},
        # an older systemd may have been there when it was written
        unit_files.drop_in: {unit.render_drop_in(systemd_version=one) for one in unit.DROP_IN_VERSIONS},
        unit_files.tmpfiles: {deployment.tmpfiles_text()},
    }
    in_the_way = unit_files.in_the_way()
    for path in in_the_way:
        yield Problem("I2", "this is in the way", str(path), MOVE_AWAY)
    for path, texts in expected.items():
        if in_the_way and (path in in_the_way or path.parent in in_the_way):
            continue
        found = path.read_text(errors="surrogateescape") if path.exists() else ""
        if found not in texts:
            what = "this file of ours was changed" if path.exists() else "this file of ours is missing"
            yield Problem("I2", what, str(path), REPAIR)


def _check_host_files(system: System, deployment: Deployment) -> Iterator[Problem]:
    """Yield the host files that are gone or cannot be replaced; an edited one is only told."""
    name = deployment.container
    for path, drift in drifted_files(deployment.record.installed):
        match drift:
            case Drift.MISSING:
                yield Problem("I5", f"this host file of {name} is missing", path, PUT_BACK)
            case Drift.IN_THE_WAY:
                what = f"this is in the way of a host file of {name}"
                yield Problem("I5", what, path, MOVE_AWAY)
            case Drift.CHANGED:
                system.tell(f"{path} of {name} was changed by somebody: that stays")


def _check_others(container: Container, current: Deployment) -> Iterator[Problem]:
    usable = {current.serial, *(one.serial for one in container.readable())}
    for serial in container.serials():
        if serial not in usable:
            what = "the record of this deployment cannot be read: nobody can roll back to it"
            yield Problem(
                "I1", what, str(container.deployment_path(serial)), "os-containers repair removes it"
            )


def _check_pins(store: _Store, container: Container) -> Iterator[Problem]:
    if store.problems:
        return  # told already
    repo = store.repo
    for deployment in container.readable():
        ref = refs.pin_ref(container.name, deployment.serial)
        if not repo or repo.read_ref(ref) != deployment.record.commit:
            yield Problem("I11", "a deployment's commit is not pinned", ref, REPAIR)
        elif not repo.is_whole(deployment.record.commit):
            yield Problem("I11", "objects of a deployment's commit are missing", ref, REPAIR)


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
    if not is_recovery_unit_needed(system):
        for path in RecoveryUnit.find(system.paths).present():
            what = "there is no container any more that this unit could recover"
            yield Problem("I16", what, str(path), "os-containers recover")


def _check_store(system: System, repo: Repo, depth: Depth) -> Iterator[Problem]:
    with system.store_in_use():
        for ref in repo.image_refs():
            problem = repo.image_problem(ref)
            if problem:
                yield Problem("I9", f"the image {_name(ref)} is damaged: {problem}", ref, REPAIR)
        yield from _check_orphaned_pins(system, repo)
        if depth is Depth.CONTENT:
            for name in damaged_objects(repo.path, repo.mode):
                yield Problem("I10", "the content of an object does not match its checksum", name, REPAIR)


def _check_orphaned_pins(system: System, repo: Repo) -> Iterator[Problem]:
    for name, serial in repo.pin_names():
        if _is_orphaned(system, Container(name, system.paths.state), serial):
            ref = refs.pin_ref(name, serial)
            yield Problem("I11", "a commit is pinned for a deployment that is not there", ref, REPAIR)
    for ref in repo.stray_pins():
        yield Problem("I11", "this is among the pins, and none", ref, MOVE_AWAY)


def _is_orphaned(system: System, container: Container, serial: int) -> bool:
    path = container.deployment_path(serial)
    if path.is_dir():
        return False
    try:
        # a change pins first: its deployment has its name when it is over
        with system.at_once().locked(container):
            return not path.is_dir()
    except BusyError:
        return False


def _name(ref: str) -> str:
    try:
        return refs.image_name(ref)
    except BrokenError:
        return ref
