"""The service of a container: started, stopped, restarted, and its journal."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from os_containers import process
from os_containers.deployment.container import Container
from os_containers.errors import BrokenError, ConflictError, OsContainersError, UsageError
from os_containers.host.unit_state import UnitState
from os_containers.operations import service
from os_containers.operations.recover import settled
from os_containers.operations.root import require_root_of
from os_containers.operations.service import Start, unit_state
from os_containers.operations.system import System

_SPAN = re.compile(r"([0-9]+(\.[0-9]+)? *[A-Za-z]+ *)+")


def start_service(system: System, name: str) -> None:
    """Start the service of a container, unless it runs. Raises ServiceError when it does not stay up."""
    _control(system, name, lambda container: start_unless_running(system, container))


def stop_service(system: System, name: str) -> None:
    """Stop the service of a container, also of a broken one, and forget that it failed."""
    try:
        _control(system, name, lambda container: service.stop(system, container))
    except BrokenError:
        container = system.container(name)
        if not container.exists():
            raise
        with system.locked(container):
            service.stop(system, container)


def restart_service(system: System, name: str) -> None:
    """Restart the service of a container. Raises ServiceError when it does not stay up."""
    _control(system, name, lambda container: restart(system, container))


def become_journal(system: System, name: str, options: Sequence[str]) -> NoReturn:
    """Be the journal of a container's service from now on; that of a broken one may tell why it is.

    Raises UsageError for times that journalctl does not understand.
    """
    container = system.container(name)
    try:
        require_service(container)
    except BrokenError:
        if not container.exists():
            raise
    command = system.services.journal_command(container.service)
    times = [one for one in options if one.startswith(("--since=", "--until="))]
    if times:
        _check_times([*command, *times])
    process.become([*command, *options])


def moment_of(text: str) -> str:
    """Return a time as journalctl takes it: a span alone, as in "5min" or "1h30m", is so long ago."""
    return f"{text} ago" if _SPAN.fullmatch(text.strip()) else text


def _check_times(command: Sequence[str]) -> None:
    tried = process.run([*command, "--lines=0", "--quiet"], check=False)
    if tried.returncode:
        raise UsageError(
            tried.stderr.strip(),
            hint='a time is "today", "2h" (ago) or "2026-11-26 10:00": see systemd.time(7)',
        )


def restart(system: System, container: Container) -> None:
    """Restart a service. Raises NotFoundError without its root file system, ConflictError when masked."""
    _startable(system, container)
    service.restart(system, container)


def start_unless_running(system: System, container: Container) -> None:
    """Start a service; one that waits to be tried again, or has failed, anew. Raises as restart does."""
    unit = _startable(system, container)
    if unit.active in {"active", "reloading"}:
        # that it fell over since, and came back by itself, is no failure of this start
        system.tell(f"{container.service} is already running")
    elif unit.active == "failed":
        # systemd refuses one that fell over too often
        system.services.reset_failed(container.service)
        service.start(system, container, Start.WATCHED)
    elif unit.has_failed:
        # systemd has one wait that is to be tried again
        service.restart(system, container)
    else:
        service.start(system, container, Start.WATCHED)


def _startable(system: System, container: Container) -> UnitState:
    """Return the state of a service that can be started."""
    require_root_of(container.current())
    unit = unit_state(system, container)
    # systemd says so to who starts it, and the journal is silent
    if unit.load == "masked":
        unmask = system.services.shown("systemctl", "unmask", container.name)
        raise ConflictError(f"{container.service} is masked", hint=unmask)
    return unit


def _control(system: System, name: str, act: Callable[[Container], None]) -> None:
    container = system.container(name)
    container.require()
    # no update may be at work on it meanwhile, and none be left half done
    with settled(system, system.repo(), container):
        require_service(container)
        with _left_to_systemd(system, container):
            act(container)


@contextlib.contextmanager
def _left_to_systemd(system: System, container: Container) -> Iterator[None]:
    """Note for who interrupts us what systemd goes on to do: it does not hear of that."""
    try:
        yield
    except Exception:
        raise
    except BaseException as interrupted:
        # what cannot be told is no reason to end otherwise
        with contextlib.suppress(OsContainersError):
            _note_jobs(interrupted, unit_state(system, container), container)
        raise


def _note_jobs(interrupted: BaseException, unit: UnitState, container: Container) -> None:
    match unit.active:
        case "activating":
            stop = f"os-containers stop {container.name}"
            interrupted.add_note(f"systemd continues to start {container.service}; to stop that: {stop}")
        case "deactivating":
            interrupted.add_note(f"systemd continues to stop {container.service}")


def require_service(container: Container) -> None:
    """Raise ConflictError for a container that has only files on the host."""
    if not container.current().record.has_service:
        raise ConflictError(
            f"{container.name} has no service",
            hint="it only has files on the host: os-containers status lists them",
        )
