"""The service of a container: started, stopped, restarted, and its journal."""

from collections.abc import Callable, Sequence

from os_containers import process
from os_containers.deployment.container import Container
from os_containers.errors import ConflictError
from os_containers.operations import service
from os_containers.operations.recover import settled
from os_containers.operations.service import Start
from os_containers.operations.system import System


def start_service(system: System, name: str) -> None:
    """Start the service of a container. Raises ServiceError when it does not stay up."""
    _control(system, name, lambda container: service.start(system, container, Start.WATCHED))


def stop_service(system: System, name: str) -> None:
    """Stop the service of a container, and forget that it failed."""
    _control(system, name, lambda container: service.stop(system, container))


def restart_service(system: System, name: str) -> None:
    """Restart the service of a container. Raises ServiceError when it does not stay up."""
    _control(system, name, lambda container: service.restart(system, container))


def show_journal(system: System, name: str, options: Sequence[str]) -> int:
    """Show the journal of a container's service on our own terminal; return journalctl's exit code."""
    container = system.container(name)
    _require_service(container)
    return process.run_attached([*system.services.journal_command(container.service), *options])


def _control(system: System, name: str, act: Callable[[Container], None]) -> None:
    container = system.container(name)
    _require_service(container)
    # no update may be at work on it meanwhile, and none be left half done
    with settled(system, system.repo(), container):
        _require_service(container)
        act(container)


def _require_service(container: Container) -> None:
    if not container.current().record.has_service:
        raise ConflictError(
            f"{container.name} has no service",
            hint="its files are on the host: os-containers status shows which",
        )
