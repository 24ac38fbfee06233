"""The one way in which a host changes: from the deployment that is leaving to the one that is entering.

Install has none that leaves, uninstall none that enters. Each step finds out what is to be done from what is
there, so the reverse transition is the same one with the two exchanged: that is how a failure is undone.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.container import (
    Container,
    Deployment,
    all_containers,
    load_deployment,
    save_record,
)
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import load_host_tree
from os_containers.deployment.record import InstalledFile, Record
from os_containers.errors import BrokenError, ConflictError, OsContainersError, ServiceError
from os_containers.events import Warned
from os_containers.host.hostfiles import HostPlan, apply_host_files, plan_host_files
from os_containers.host.systemd import UnitState
from os_containers.host.unit import directories_of, install_section
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System

# A service that does not notify counts as started once it is forked: how long it may fall over (seconds).
SETTLE = 1.0
_SETTLE_STEP = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the active deployment, and how its service is to be afterwards.

    broken_off is the deployment of a transition that this one undoes: some of its files may be on the host.
    """

    container: Container
    leaving: Deployment | None
    entering: Deployment | None
    running: bool
    enabled: bool
    broken_off: Deployment | None = None


def carry_out(system: System, transition: Transition) -> None:
    """Make the entering deployment the active one, or change nothing.

    Raises ConflictError before anything was changed, ServiceError when the service did not start and the
    state from before is back, BrokenError when the way back failed too.
    """
    before = unit_state(system, transition.container)
    _plan_host_files(system, transition)  # a conflict shows before the service is stopped
    try:
        _go(system, transition, before)
    except BaseException as error:
        _go_back(system, transition, before, error)
        raise


def switch_deployment(
    system: System, container: Container, leaving: Deployment, entering: Deployment
) -> None:
    """Go over from one deployment to another; enabled and running stay as the admin left them."""
    before = unit_state(system, container)
    # a container that had no service is as good as newly installed
    enabled = before.is_enabled or not leaving.record.has_service
    carry_out(system, Transition(container, leaving, entering, running=before.is_running, enabled=enabled))


def unit_state(system: System, container: Container) -> UnitState:
    """Return the state of a container's unit now."""
    return system.services.states([container.service]).get(container.service, UnitState())


def check_unit_free(system: System, container: Container) -> None:
    """Raise ConflictError when the unit's name is somebody else's on this host."""
    another = "choose another name with --name"
    for path in UnitFiles.find(system.paths, container.name).present():
        raise ConflictError(f"{path} is there already", hint=another)
    state = unit_state(system, container)
    if state.load != "not-found":
        raise ConflictError(f"the host has its own {container.service} ({state.load})", hint=another)


def _go(system: System, transition: Transition, before: UnitState) -> None:
    # a service may take its time to stop and to start: other containers do not wait for that
    _stop(system, transition.container, before)
    with system.host_locked():
        _switch(system, transition, before)
    _start(system, transition)


def _switch(system: System, transition: Transition, before: UnitState) -> None:
    container, entering = transition.container, transition.entering
    # only now: a daemon may save its configuration when it is stopped
    plan = _plan_host_files(system, transition)
    if not entering or not entering.record.has_service:
        _disable(system, container, before)
    if entering:
        save_record(entering.path, _activated(transition, entering, plan))
        container.switch(entering)
    else:
        container.forget()
    apply_host_files(plan, system.on_event)
    _change_unit_files(system, transition)
    _enable(system, transition)


def _go_back(system: System, transition: Transition, before: UnitState, cause: BaseException) -> None:
    container = transition.container
    try:
        with _undisturbed():
            system.on_event(
                Warned(f"{str(cause).rstrip('.') or 'interrupted'}; going back to the state from before")
            )
            back = Transition(
                container,
                leaving=_reloaded(transition.entering),
                entering=_reloaded(transition.leaving),
                running=before.is_running,
                enabled=before.is_enabled,
                broken_off=_reloaded(transition.entering),
            )
            _go(system, back, unit_state(system, container))
    except (OsContainersError, OSError) as error:
        raise BrokenError(
            f"{container.name}: {cause}; and the way back failed: {error}",
            hint=f"mend what is named here, then: os-containers uninstall {container.name}",
        ) from error


def _activated(transition: Transition, entering: Deployment, plan: HostPlan) -> Record:
    """Return the record of a deployment that is about to be active: what on the host is its own."""
    kept = transition.leaving.record.directories if transition.leaving else ()
    made = (one for one in directories_of(entering.tmpfiles_text()) if not os.path.lexists(one))
    directories = dict.fromkeys((*entering.record.directories, *kept, *made))
    return entering.record.activated(plan.installed, tuple(directories))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal stop us half-way: whoever is impatient pressed the key twice."""
    # not pthread_sigmask: a signal that another thread takes is handled in this one all the same
    before = (
        {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS} if _in_main_thread() else {}
    )
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _reloaded(deployment: Deployment | None) -> Deployment | None:
    """Return a deployment with its record as it is on disk now: it says what was put on the host."""
    return load_deployment(deployment.container, deployment.path) if deployment else None


def _plan_host_files(system: System, transition: Transition) -> HostPlan:
    entering = transition.entering
    return plan_host_files(
        _ours(transition),
        load_host_tree(entering.host_files) if entering else (),
        owners=_owners(system, transition.container),
    )


def _ours(transition: Transition) -> list[InstalledFile]:
    """Return what may be on the host from us; on a way back, that of two deployments."""
    if transition.broken_off is None:
        return list(transition.leaving.record.installed) if transition.leaving else []
    both = (transition.entering, transition.broken_off)
    return [file for one in both if one for file in one.record.installed]


def _owners(system: System, container: Container) -> dict[str, str]:
    """Return which other container each host file belongs to."""
    owners: dict[str, str] = {}
    for other in all_containers(system.paths):
        if other.name == container.name:
            continue
        # a broken neighbour must not stop this container
        with contextlib.suppress(OsContainersError):
            installed = other.current().record.installed
            owners |= {file.path: other.name for file in installed if file.kind is not FileKind.DIRECTORY}
    return owners


def _stop(system: System, container: Container, before: UnitState) -> None:
    if before.active == "inactive":
        return
    system.services.stop(container.service)
    system.tell(system.services.shown("systemctl", "stop", container.name))


def _disable(system: System, container: Container, before: UnitState) -> None:
    if before.is_enabled:
        system.services.disable(container.service)
        system.tell(system.services.shown("systemctl", "disable", container.name))


def _change_unit_files(system: System, transition: Transition) -> None:
    unit_files = UnitFiles.find(system.paths, transition.container.name)
    entering, leaving = transition.entering, transition.leaving
    if entering and entering.record.has_service:
        unit_files.install(
            unit_text=entering.unit.read_bytes(),
            tmpfiles_text=entering.tmpfiles_text().encode(errors="surrogateescape"),
            services=system.services,
            on_event=system.on_event,
        )
    elif unit_files.present():
        unit_files.remove(services=system.services, on_event=system.on_event)
    if leaving and not entering:
        _remove_directories(system, leaving)


def _remove_directories(system: System, leaving: Deployment) -> None:
    """Remove what tmpfiles.d made for us; what somebody has put something into stays, and data are told."""
    state = leaving.record.values.get("STATE_DIRECTORY")
    for path in sorted(leaving.record.directories, reverse=True):
        try:
            Path(path).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            if state and Path(path).is_relative_to(state.text):
                system.tell(f"kept {path}: the data of {leaving.container}")


def _enable(system: System, transition: Transition) -> None:
    """Enable the unit as it was before, and again when its [Install] section is another one now."""
    container, leaving, entering = transition.container, transition.leaving, transition.entering
    if not transition.enabled or not entering or not entering.record.has_service:
        return
    now = unit_state(system, container)
    if not now.is_enabled:
        system.services.enable(container.service)
        system.tell(system.services.shown("systemctl", "enable", container.name))
    elif leaving and _install_section(leaving) != _install_section(entering):
        system.services.reenable(container.service)
        system.tell(system.services.shown("systemctl", "reenable", container.name))


def _install_section(deployment: Deployment) -> tuple[str, ...]:
    return install_section(deployment.unit_text())


def _start(system: System, transition: Transition) -> None:
    """Start the service if it is to run. Raises ServiceError when it does not stay up."""
    container, entering = transition.container, transition.entering
    if not transition.running or not entering or not entering.record.has_service:
        return
    system.tell(system.services.shown("systemctl", "start", container.name))
    try:
        system.services.start(container.service)
    except OsContainersError as error:
        raise _did_not_start(system, container) from error
    if not _stays_up(system, container):
        raise _did_not_start(system, container)


def _stays_up(system: System, container: Container) -> bool:
    deadline = time.monotonic() + SETTLE
    while True:
        state = unit_state(system, container)
        if state.has_failed:
            return False
        if state.type not in {"simple", "exec"} or time.monotonic() >= deadline:
            return state.active != "inactive" or state.type == "oneshot"
        time.sleep(_SETTLE_STEP)


def _did_not_start(system: System, container: Container) -> ServiceError:
    said = system.services.last_log_line(container.service)
    return ServiceError(
        f"{container.service} did not start" + (f": {said}" if said else ""),
        hint=f"{system.services.log_command(container.service)} shows why",
    )
