"""The service of a container while its deployments change: stopped, enabled as before, started, watched."""

import time
from collections.abc import Callable
from enum import Enum

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.errors import ProcessError, ProgramTimeoutError, ServiceError
from os_containers.events import Warned
from os_containers.host.start_failure import why_not_started
from os_containers.host.unit import install_section
from os_containers.host.unit_files import sync_links
from os_containers.host.unit_state import UnitState
from os_containers.operations.journal import ServiceState
from os_containers.operations.system import System
from os_containers.operations.waiting import wait_told

# A service that does not notify counts as started once it is forked: how long it may fall over (seconds).
SETTLE = 1.0
_SETTLE_STEP = 0.1
# Who has been up for so long (seconds) since it fell over is as good as one that never did.
_STEADY = 60.0


class Start(Enum):
    """How a service is started."""

    WATCHED = "waited for, and watched for a moment"
    QUEUED = "systemd is told to start it: nobody may wait for others while the host boots"


def unit_state(system: System, container: Container) -> UnitState:
    """Return the state of a container's unit now."""
    return system.services.states([container.service]).get(container.service, UnitState())


def state_to_keep(unit: UnitState) -> ServiceState:
    """Return what a change keeps of a unit's state; one that failed is meant to run: nobody stopped it.

    One that crashes again and again may be up at this very moment.
    """
    failed = unit.has_failed_since(time.monotonic() - _STEADY)
    return ServiceState(running=unit.is_meant_to_run, enabled=unit.is_enabled, failed=failed)


def state_of_next(unit: UnitState, leaving: Deployment) -> ServiceState:
    """Return how the service of the next deployment is to be: as the admin left that of the leaving one.

    Where there was nothing to enable, it is as it was the last time that there was.
    """
    kept = state_to_keep(unit)
    is_choice = leaving.record.has_service and not unit.is_static
    return ServiceState(running=kept.running, enabled=kept.enabled if is_choice else leaving.record.enabled)


def warn_of_stopped(system: System, container: Container, unit: UnitState) -> None:
    """Say that a service that reads as failed is not started, since somebody had stopped it."""
    if unit.active == "failed" and not unit.is_meant_to_run:
        command = system.services.shown("systemctl", "start", container.name)
        system.on_event(
            Warned(f"{container.service} was stopped, so it is not started; to start it: {command}")
        )


def stop(system: System, container: Container) -> None:
    """Stop the service if there is anything to stop."""
    if unit_state(system, container).active == "inactive":
        return
    # before: a service may take its time
    system.tell(system.services.shown("systemctl", "stop", container.name))
    with wait_told(system, container, "stop"):
        system.services.stop(container.service)


def disable(system: System, container: Container) -> None:
    """Disable the unit if it is enabled, durably."""
    if not unit_state(system, container).is_enabled:
        return
    system.services.disable(container.service)
    system.tell(system.services.shown("systemctl", "disable", container.name))
    sync_links(system.paths.units)


def enable(
    system: System,
    container: Container,
    deployment: Deployment,
    *,
    instead_of: Deployment | None,
    was_enabled: bool,
) -> None:
    """Enable the unit, durably; anew when its [Install] section is another one than before."""
    if was_enabled and instead_of and _install_section(instead_of) == _install_section(deployment):
        return  # systemd is not asked: the service is away meanwhile
    if unit_state(system, container).is_enabled:
        if instead_of and _install_section(instead_of) != _install_section(deployment):
            system.services.reenable(container.service)
            system.tell(system.services.shown("systemctl", "reenable", container.name))
    elif _install_section(deployment):
        system.services.enable(container.service)
        system.tell(system.services.shown("systemctl", "enable", container.name))
    sync_links(system.paths.units)


def start(system: System, container: Container, how: Start) -> None:
    """Start the service.

    Raises ServiceError when it is watched and does not stay up, SystemFaultError when nobody
    can ask systemd.
    """
    system.tell(system.services.shown("systemctl", "start", container.name))
    if how is Start.QUEUED:
        system.services.queue_start(container.service)
        return
    _watched(system, container, "start", system.services.start)


def restart(system: System, container: Container) -> None:
    """Restart the service, and what depends on it. Raises ServiceError when it does not stay up."""
    # that it fell over before is no failure of this start; nor may systemd find that it did so too often
    system.services.reset_failed(container.service)
    system.tell(system.services.shown("systemctl", "restart", container.name))
    _watched(system, container, "restart", system.services.restart)


def _watched(system: System, container: Container, verb: str, begin: Callable[[str], None]) -> None:
    since = time.time()
    try:
        with wait_told(system, container, verb):
            begin(container.service)
    except (ProcessError, ProgramTimeoutError) as error:
        raise _did_not_start(system, container, since, _first_line(error)) from error
    if not _stays_up(system, container):
        raise _did_not_start(system, container, since)


def start_again(system: System, container: Container, how: Start, before: ServiceState) -> None:
    """Start the service that ran before. One that had failed then may fail again, and that is only told."""
    try:
        start(system, container, how)
    except ServiceError as error:
        if not before.failed:
            raise
        system.on_event(Warned(f"{error}; it had failed before, too"))


def _install_section(deployment: Deployment) -> tuple[str, ...]:
    return install_section(deployment.unit_text())


def _stays_up(system: System, container: Container) -> bool:
    deadline = time.monotonic() + SETTLE
    while True:
        state = unit_state(system, container)
        if state.has_failed:
            return False
        if state.type not in {"simple", "exec"} or time.monotonic() >= deadline:
            return state.active != "inactive" or state.type == "oneshot"
        time.sleep(_SETTLE_STEP)


def _did_not_start(system: System, container: Container, since: float, told: str = "") -> ServiceError:
    unit = unit_state(system, container)
    # what came before are the last words of the deployment that left
    said = system.services.last_log_line(container.service, since=since)
    why = why_not_started(unit, said, told=told)
    return ServiceError(
        f"{container.service} did not start" + (f": {why}" if why else ""),
        hint=_what_to_do(system, container, unit),
    )


def _what_to_do(system: System, container: Container, unit: UnitState) -> str:
    shows_why = f"{system.services.log_command(container.service)} shows why"
    if unit.result != "timeout":
        return shows_why
    edit = system.services.shown("systemctl", "edit", container.name)
    return f"{shows_why}; if it needs longer, raise TimeoutStartSec=: {edit}"


def _first_line(error: ProcessError | ProgramTimeoutError) -> str:
    """Return what systemctl says: that another unit did not start, or how long it has waited."""
    said = error.stderr.strip() if isinstance(error, ProcessError) else error.message
    return said.partition("\n")[0]
