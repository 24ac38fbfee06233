"""What a transition would change, before and after: values, host files, what we write, and its steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.exports import FileKind
from os_containers.deployment.values import Values
from os_containers.host.hostfiles import Action, Change, HostPlan
from os_containers.operations.made_directories import staying
from os_containers.operations.rehearsal import Rehearsal, rehearse
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, checked_plan, kept_serials


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
    it. Nothing of it is done when changes is False; steps tell why, if it could be. A random value, as that
    of UUID, will be another one.
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


def nothing_to_do(operation: str, leaving: Deployment) -> Plan:
    """Return the plan of a command that leaves the active deployment as it is."""
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


def plan_transition(system: System, transition: Transition, place: Path | None) -> Plan:
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
    stay = staying(directories, removed.keys() - directories)
    for change in plan.changes:
        if change.action is Action.REMOVE and change.present is None:
            continue  # somebody has
        action = Action.KEEP_FILLED if change.path in stay else change.action
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
