"""The steps of a transition, taken where nobody sees them: they tell what the real ones will tell.

systemd is asked, and answers as if it had done what it was told; the unit files are copies in a directory of
ours; host files are only told of. The steps are those of transition.py: so are their words and their order.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.events import Event, OnEvent, Step, Warned
from os_containers.host.hostfiles import Action, HostPlan
from os_containers.host.prepared_files import step_of
from os_containers.host.recovery_unit import RecoveryUnit
from os_containers.host.systemd import ServiceManager
from os_containers.host.unit import directories_of
from os_containers.host.unit_files import UnitFiles
from os_containers.host.unit_state import UnitState, UnitUsage
from os_containers.operations import service
from os_containers.operations.edited_units import SUFFIX
from os_containers.operations.made_directories import tell_staying
from os_containers.operations.recoverable import is_recovery_unit_needed
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, switch_host, tell_unstarted


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was told, and for each unit file of ours on the host where it is as it will be."""

    steps: tuple[str, ...]
    unit_files: Mapping[Path, Path]


def rehearse(system: System, transition: Transition, plan: HostPlan, stage: Path) -> Rehearsal:
    """Take the steps of a transition in an empty directory, and return what they tell."""
    container = transition.container
    told: list[str] = []
    rehearsed = _on_stage(system, stage, told)
    hands = _TellingHands(rehearsed, plan, _emptied(UnitFiles.find(system.paths, container.name).tmpfiles))
    unit_files = _copy_unit_files(system, rehearsed, container)
    _change_recovery_unit(system, rehearsed, transition)
    if not transition.is_still:
        service.stop(rehearsed, container)
    switch_host(rehearsed, transition, hands)
    if transition.is_start:
        service.start(rehearsed, container, Start.QUEUED)
    tell_unstarted(rehearsed, transition)
    return Rehearsal(tuple(told), unit_files)


@dataclass(frozen=True, slots=True)
class _TellingHands:
    """What tells of each host file and directory, and leaves it."""

    system: System
    plan: HostPlan
    emptied: Collection[str]

    def commit(self) -> None:
        pass

    def change_host_files(self) -> None:
        for event in map(step_of, self.plan.changes):
            if event:
                self.system.on_event(event)

    def remove_directories(self, owner: Deployment, directories: Collection[str]) -> None:
        self.tell_kept(owner, directories)

    def tell_kept(self, owner: Deployment, directories: Collection[str]) -> None:
        removed = [change.path for change in self.plan.changes if change.action is Action.REMOVE]
        tell_staying(self.system, owner, directories, [*removed, *self.emptied])


def _emptied(fragment: Path) -> list[str]:
    """Return what systemd-tmpfiles --remove takes out of directories."""
    text = fragment.read_text(errors="surrogateescape") if fragment.is_file() else ""
    kept = directories_of(text)
    directories = (Path(path) for path in directories_of(text, "D") if Path(path).is_dir())
    return [str(one) for directory in directories for one in directory.iterdir() if str(one) not in kept]


def rehearsed_service(system: System) -> tuple[System, list[str]]:
    """Return a system whose services only seem to do what they are told, and the list of what is told."""
    told: list[str] = []
    return replace(system, services=_Rehearsed(system.services), on_event=_teller(told)), told


def _on_stage(system: System, stage: Path, told: list[str]) -> System:
    units, tmpfiles = stage / "units", stage / "tmpfiles"
    places = {str(units): str(system.paths.units), str(tmpfiles): str(system.paths.tmpfiles)}
    return replace(
        system,
        paths=replace(system.paths, units=units, tmpfiles=tmpfiles),
        # on the stage ours is a copy: the real one is nobody else's
        services=_Rehearsed(system.services, hidden=system.paths.units),
        on_event=_teller(told, places),
    )


def _teller(told: list[str], places: Mapping[str, str] = MappingProxyType({})) -> OnEvent:
    def on_event(event: Event) -> None:
        if isinstance(event, Step | Warned):
            text = event.text
            for staged, real in places.items():
                text = text.replace(staged, real)
            told.append(text)

    return on_event


def _copy_unit_files(system: System, rehearsed: System, container: Container) -> dict[Path, Path]:
    """Copy what is there of the unit files, and return for each where its copy is, or would be."""
    real, staged = (UnitFiles.find(one.paths, container.name) for one in (system, rehearsed))
    if real.drop_in.parent.is_dir():
        shutil.copytree(real.drop_in.parent, staged.drop_in.parent, symlinks=True)
    recovery, later = (RecoveryUnit.find(one.paths).path for one in (system, rehearsed))
    copies = dict(zip((*real.all(), recovery), (*staged.all(), later), strict=True))
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        for one in (source, *source.parent.glob(f"{source.name}{SUFFIX}*")):
            if one.is_file() or one.is_symlink():
                shutil.copy2(one, target.with_name(one.name), follow_symlinks=False)
    return copies


def _change_recovery_unit(system: System, rehearsed: System, transition: Transition) -> None:
    """Put the recovery unit in place or take it away, as what is around each change of a host does."""
    unit = RecoveryUnit.find(rehearsed.paths)
    unit.install(system.paths, system.environment, rehearsed.services)
    if transition.is_end and not is_recovery_unit_needed(system, apart_from=transition.container.name):
        unit.remove(rehearsed.services)


class _Rehearsed:
    """A service manager that answers as the real one, and as if it had done what it was told since."""

    def __init__(self, real: ServiceManager, *, hidden: Path | None = None) -> None:
        self._real = real
        self._hidden = hidden
        self._now: dict[str, UnitState] = {}

    def version(self) -> int:
        return self._real.version()

    def states(self, units: Iterable[str]) -> dict[str, UnitState]:
        return {unit: self._now.get(unit, state) for unit, state in self._real.states(units).items()}

    def unit_paths(self) -> list[Path]:
        return [path for path in self._real.unit_paths() if path != self._hidden]

    def verify_unit(self, path: Path) -> None:
        self._real.verify_unit(path)

    def reload(self) -> None:
        pass

    def enable(self, unit: str) -> None:
        self._change(unit, enabled="enabled")

    def reenable(self, unit: str) -> None:
        self._change(unit, enabled="enabled")

    def disable(self, unit: str) -> None:
        self._change(unit, enabled="disabled")

    def start(self, unit: str) -> None:
        # of a type that is ready when it is started: nobody need watch it
        self._change(unit, active="active", sub="running", restarts=0, type="notify")

    def queue_start(self, unit: str) -> None:
        self.start(unit)

    def restart(self, unit: str) -> None:
        self.start(unit)

    def reset_failed(self, unit: str) -> None:
        pass

    def stop(self, unit: str) -> None:
        self._change(unit, active="inactive", sub="dead")

    def create_tmpfiles(self, fragment: Path) -> None:
        pass

    def remove_tmpfiles(self, fragment: Path) -> None:
        pass

    def shown(self, program: str, *words: str) -> str:
        return self._real.shown(program, *words)

    def scope_command(self, name: str, *, description: str = "") -> list[str]:
        return self._real.scope_command(name, description=description)

    def scopes(self) -> dict[str, str]:
        return self._real.scopes()

    def last_log_line(self, unit: str, *, since: float) -> str:
        return self._real.last_log_line(unit, since=since)

    def log_command(self, unit: str) -> str:
        return self._real.log_command(unit)

    def journal_command(self, unit: str) -> list[str]:
        return self._real.journal_command(unit)

    def log_lines(self, unit: str, lines: int) -> list[str]:
        return self._real.log_lines(unit, lines)

    def usage(self, unit: str) -> UnitUsage:
        return self._real.usage(unit)

    def _change(self, unit: str, **facts: Any) -> None:
        self._now[unit] = replace(self.states([unit])[unit], **facts)
