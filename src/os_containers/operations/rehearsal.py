"""The steps of a transition, taken where nobody sees them: they tell what the real ones will tell.

systemd is asked, and answers as if it had done what it was told; the unit files are copies in a directory of
ours. So the words, their order and what is left out are those of the steps themselves.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from os_containers.deployment.container import Container
from os_containers.events import Event, Step, Warned
from os_containers.host.hostfiles import HostPlan
from os_containers.host.prepared_files import step_of
from os_containers.host.systemd import ServiceManager, UnitState, UnitUsage
from os_containers.host.unit_files import UnitFiles
from os_containers.operations import host_changes, service
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.transition import Transition


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was told, and where the unit files are as they will be."""

    steps: tuple[str, ...]
    unit_files: UnitFiles


def rehearse(system: System, transition: Transition, plan: HostPlan, stage: Path) -> Rehearsal:
    """Take the steps of a transition in an empty directory, and return what they tell."""
    container, leaving, entering = transition.container, transition.leaving, transition.entering
    told: list[str] = []
    rehearsed = _on_stage(system, stage, told)
    _copy_unit_files(system, rehearsed, container)
    service.stop(rehearsed, container)
    has_service = entering is not None and entering.record.has_service
    if not has_service:
        service.disable(rehearsed, container)
    for event in map(step_of, plan.changes):
        if event:
            rehearsed.on_event(event)
    host_changes.change_unit_files(rehearsed, container, entering)
    if entering and has_service and transition.after.enabled:
        was_enabled = transition.before.enabled
        service.enable(rehearsed, container, entering, instead_of=leaving, was_enabled=was_enabled)
    if leaving and transition.is_end:
        removed = [change.path for change in plan.changes if change.changes_host]
        obsolete = host_changes.obsolete_directories(container, leaving, entering)
        host_changes.tell_kept_data(rehearsed, leaving, obsolete, removed)
    if has_service and transition.after.running:
        service.start(rehearsed, container, Start.QUEUED)
    return Rehearsal(tuple(told), UnitFiles.find(rehearsed.paths, container.name))


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
        services=_Rehearsed(system.services),
        on_event=_teller(told, places),
    )


def _teller(told: list[str], places: dict[str, str] | None = None) -> Any:
    def on_event(event: Event) -> None:
        if isinstance(event, Step | Warned):
            text = event.text
            for staged, real in (places or {}).items():
                text = text.replace(staged, real)
            told.append(text)

    return on_event


def _copy_unit_files(system: System, rehearsed: System, container: Container) -> None:
    real, staged = (UnitFiles.find(one.paths, container.name) for one in (system, rehearsed))
    for directory in (staged.unit.parent, staged.tmpfiles.parent):
        directory.mkdir(parents=True)
    for source, target in ((real.unit, staged.unit), (real.tmpfiles, staged.tmpfiles)):
        if source.is_file() or source.is_symlink():
            shutil.copy2(source, target, follow_symlinks=False)
    if real.drop_in.parent.is_dir():
        shutil.copytree(real.drop_in.parent, staged.drop_in.parent, symlinks=True)


class _Rehearsed:
    """A service manager that answers as the real one, and as if it had done what it was told since."""

    def __init__(self, real: ServiceManager) -> None:
        self._real = real
        self._now: dict[str, UnitState] = {}

    def version(self) -> int:
        return self._real.version()

    def states(self, units: Iterable[str]) -> dict[str, UnitState]:
        return {unit: self._now.get(unit, state) for unit, state in self._real.states(units).items()}

    def unit_paths(self) -> list[Path]:
        return self._real.unit_paths()

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

    def scope_command(self, name: str) -> list[str]:
        return self._real.scope_command(name)

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
