"""What a change would do, exactly, without doing it: the deployment is built, looked at, and let go."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.exports import FileKind
from os_containers.deployment.history import previous, unfinished
from os_containers.deployment.values import Values
from os_containers.errors import BrokenError, ConflictError, NotFoundError
from os_containers.events import Warned
from os_containers.host.host_policy import Permission
from os_containers.host.hostfiles import Action, Change, HostPlan
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.operations import host_changes, service
from os_containers.operations.blueprint import new_blueprint
from os_containers.operations.control import require_service, restart, start_unless_running
from os_containers.operations.find_image import stored_image
from os_containers.operations.install import (
    check_free,
    default_name,
    entry,
    is_run_once,
    tell_drop_ins,
    told_of_run,
)
from os_containers.operations.rehearsal import Rehearsal, rehearse, rehearsed_service
from os_containers.operations.root import find_root, is_same, made_of, require_root_of
from os_containers.operations.stage import drafted, staging_directory
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, checked_plan, kept_serials, switch
from os_containers.operations.uninstall import check_there, leave, unrecorded_left
from os_containers.operations.update import image_in_store, is_current, root_of_next
from os_containers.operations.verify_images import remote_digest
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """A variable whose value changes; before and after are None where it has none."""

    name: str
    before: str | None
    after: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class PlannedHostFile:
    """A host file, and what becomes of it."""

    path: str
    kind: FileKind
    action: Action


@dataclass(frozen=True, slots=True)
class PlannedText:
    """A file that we write, as it is and as it will be; None where there is none."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command would do to a container; leaving and entering are serials of deployments.

    steps are what the command tells while it does it; discarded are the serials of deployments that go with
    it. Nothing of it is done when changes is False. A random value, as that of UUID, will be another one.
    """

    operation: str
    container: str
    changes: bool = True
    image: str = ""
    digest: str = ""
    remote: str = ""
    leaving: int | None = None
    entering: int | None = None
    values: tuple[PlannedValue, ...] = ()
    host_files: tuple[PlannedHostFile, ...] = ()
    texts: tuple[PlannedText, ...] = ()
    steps: tuple[str, ...] = ()
    discarded: tuple[int, ...] = ()


def plan_install(
    system: System,
    image: str | None,
    *,
    rootfs: Path | None = None,
    name: str | None = None,
    settings: Mapping[str, str],
    runtime: str | None = None,
    permission: Permission | None = None,
) -> Plan:
    """Return what install would do with an image of the store. Raises as install does."""
    found = system.runtime(runtime, recorded="")
    root = find_root(system, rootfs) if rootfs else None
    container = system.container(default_name(image, rootfs) if name is None else name)
    check_free(system, container)
    if image and not (system.paths.repo / "config").exists():
        raise _not_here(f"there is no image {image} in the store", image)  # and no store is made for it
    repo = system.repo()
    stored = _stored(repo, image) if image else None
    if stored and not root and is_run_once(stored):
        steps = (told_of_run(stored),)
        return Plan("run", container.name, image=stored.name, digest=stored.digest, steps=steps)
    source = made_of(root, stored)
    with _looked_at(system, container):
        blueprint = new_blueprint(container, source, found, settings=settings, permission=permission)
        tell_drop_ins(system, container)
        with drafted(system, repo, blueprint) as draft:
            return _plan(system, entry(container, draft), blueprint.path)


def plan_update(
    system: System,
    name: str,
    *,
    settings: Mapping[str, str],
    unset: Collection[str] = (),
    rebase: str | None = None,
    rootfs: Path | None = None,
    runtime: str | None = None,
    permission: Permission | None = None,
    newest: ProxyOptions | None = None,
) -> Plan:
    """Return what update would do with an image of the store. Raises as update does.

    With newest the registry is asked so; when it has another one, to pull that is all that can be planned.
    """
    container = system.container(name)
    container.require()
    repo = system.repo()
    with _looked_at(system, container):
        leaving = container.current()
        root = root_of_next(system, leaving, rebase, rootfs)
        named = rebase or leaving.record.image
        change_values = bool(settings or unset)
        image = _next_image(system, repo, leaving, rebase, or_own=change_values) if named else None
        digest = _newer_digest(system, image, newest) if image and newest else None
        if image and digest:
            return _pull_first(system, leaving, image.name, digest)
        source = made_of(root, image)
        found = system.runtime(runtime, recorded=leaving.record.runtime)
        blueprint = new_blueprint(
            container,
            source,
            found,
            settings=settings,
            unset=unset,
            permission=permission,
            leaving=leaving,
        )
        if is_current(leaving, blueprint):
            return _nothing("update", leaving)
        with drafted(system, repo, blueprint) as draft:
            if root and is_same(leaving, draft, place=blueprint.path):
                return _nothing("update", leaving)
            return _plan(system, switch(system, "update", leaving, draft, is_fresh=True), blueprint.path)


def plan_rollback(system: System, name: str, *, serial: int | None = None) -> Plan:
    """Return what rollback would do. Raises as rollback does."""
    container = system.container(name)
    container.require()
    with _looked_at(system, container):
        leaving = container.current()
        entering = previous(container, serial)
        require_root_of(entering)
        transition = switch(system, "rollback", leaving, entering, is_fresh=False)
        return _plan(system, transition, entering.path)


def plan_uninstall(system: System, name: str) -> Plan:
    """Return what uninstall would do. Raises as uninstall does."""
    container = system.container(name)
    check_there(system, name)
    with _looked_at(system, container):
        transition = leave(system, container)
        plan = _plan(system, transition, None)
        return replace(plan, steps=(*plan.steps, *unrecorded_left(transition)))


def _next_image(
    system: System, repo: Repo, leaving: Deployment, rebase: str | None, *, or_own: bool
) -> StoredImage:
    if rebase or not leaving.is_ours:
        return _stored(repo, rebase or leaving.record.image)
    return image_in_store(system, repo, leaving, leaving.record.image, or_own=or_own)


def _newer_digest(system: System, image: StoredImage, options: ProxyOptions) -> str | None:
    """Return which other image the registry has under a name, None when it has the same."""
    if is_local(image.name):
        return None
    digest = remote_digest(system, image, options)
    return digest if digest != image.digest else None


def _pull_first(system: System, leaving: Deployment, image: str, digest: str) -> Plan:
    system.on_event(Warned(f"the registry has a newer {image}: what comes of it is known when it is here"))
    steps = (f"os-containers pull {image}",)
    return Plan("update", leaving.container, image=image, digest=digest, leaving=leaving.serial, steps=steps)


def _stored(repo: Repo, image: str) -> StoredImage:
    try:
        return stored_image(repo, image)
    except NotFoundError as error:
        raise _not_here(error.message, image) from error


def _not_here(fact: str, image: str) -> NotFoundError:
    return NotFoundError(fact, hint=f"a dry run fetches nothing: os-containers pull {image}, then try again")


class ServiceVerb(Enum):
    """What can be done to a service by itself."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


_ACTS: Mapping[ServiceVerb, Callable[[System, Container], None]] = {
    ServiceVerb.START: start_unless_running,
    ServiceVerb.STOP: service.stop,
    ServiceVerb.RESTART: restart,
}


def plan_service(system: System, name: str, verb: ServiceVerb) -> Plan:
    """Return what start, stop or restart would do. Raises as they do before they have begun."""
    container = system.container(name)
    with _looked_at(system, container):
        _require_service(container, verb)
        rehearsed, told = rehearsed_service(system)
        _ACTS[verb](rehearsed, container)
    return Plan(verb.value, name, changes=bool(told), steps=tuple(told))


def _require_service(container: Container, verb: ServiceVerb) -> None:
    try:
        require_service(container)
    except BrokenError:
        # what is damaged can still be stopped
        if verb is not ServiceVerb.STOP or not container.exists():
            raise


@contextlib.contextmanager
def _looked_at(system: System, container: Container) -> Iterator[None]:
    """Let nobody change a container meanwhile. Raises ConflictError when a change was interrupted."""
    with system.locked(container):
        if unfinished(container) or container.name in system.journals.names():
            raise ConflictError(
                f"a change of {container.name} was interrupted, and is to be ended or undone first",
                hint=f"os-containers recover {container.name}, then ask again",
            )
        if any(one.is_predecessors and not one.record.is_adopted for one in container.readable()):
            system.on_event(Warned("a predecessor made this container: what is its own is found first"))
        yield


def _nothing(operation: str, leaving: Deployment) -> Plan:
    record = leaving.record
    return Plan(
        operation,
        leaving.container,
        changes=False,
        image=record.image,
        digest=record.digest,
        remote=record.remote,
        leaving=leaving.serial,
        entering=leaving.serial,
    )


def _plan(system: System, transition: Transition, place: Path | None) -> Plan:
    """Return the plan of a transition; place is where the entering deployment will be."""
    host_plan = checked_plan(system, transition)
    with staging_directory(system, transition.container.name) as scratch:
        rehearsal = rehearse(system, transition, host_plan, scratch.path)
        texts = tuple(_texts(transition, place, rehearsal))
    leaving, entering = transition.leaving, transition.entering
    record = entering.record if entering else None
    return Plan(
        transition.operation,
        transition.container.name,
        image=record.image if record else "",
        digest=record.digest if record else "",
        remote=record.remote if record else "",
        leaving=leaving.serial if leaving else None,
        entering=record.serial if record else None,
        values=tuple(_values(leaving.record.values if leaving else {}, record.values)) if record else (),
        host_files=tuple(_host_files(host_plan)),
        texts=texts,
        steps=rehearsal.steps,
        discarded=tuple(sorted(set(transition.container.serials()) - set(kept_serials(system, transition)))),
    )


def _values(before: Values, after: Values) -> Iterator[PlannedValue]:
    decided = {**before, **after}
    for name in sorted(decided):
        old, new = (values[name].text if name in values else None for values in (before, after))
        if old != new:
            yield PlannedValue(name, old, new, decided[name].origin)


def _host_files(plan: HostPlan) -> Iterator[PlannedHostFile]:
    removed = {change.path: _kind(change) for change in plan.changes if change.action is Action.REMOVE}
    directories = {path for path, kind in removed.items() if kind is FileKind.DIRECTORY}
    # what somebody has put something into is not removed
    stay = host_changes.staying(directories, removed.keys() - directories)
    for change in plan.changes:
        if change.action is Action.REMOVE and change.present is None:
            continue  # somebody has
        action = Action.LET_GO if change.path in stay else change.action
        yield PlannedHostFile(change.path, _kind(change), action)


def _kind(change: Change) -> FileKind:
    file = change.file or change.present
    return file.kind if file else FileKind.FILE


def _texts(transition: Transition, place: Path | None, rehearsal: Rehearsal) -> Iterator[PlannedText]:
    for path, later in rehearsal.unit_files.items():
        yield from _changed(path, _read(path), _read(later))
    leaving, entering = transition.leaving, transition.entering
    if entering and place:
        before = _read(leaving.config) if leaving else None
        yield from _changed(place / "config.json", before, _read(entering.config))


def _changed(path: Path, before: str | None, after: str | None) -> Iterator[PlannedText]:
    if before != after:
        yield PlannedText(str(path), before, after)


def _read(path: Path) -> str | None:
    return path.read_text(errors="surrogateescape") if path.is_file() else None
