"""Uninstall: nothing of ours stays on the host but what a person changed, and the container's data."""

from os_containers import files
from os_containers.deployment.container import Container, Deployment
from os_containers.errors import BrokenError
from os_containers.events import Warned
from os_containers.operations.retention import keep_only
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, carry_out


def uninstall(system: System, name: str) -> None:
    """Remove a container with all its deployments; its image stays in the store.

    Raises BusyError, and changes nothing, when something is mounted in a deployment.
    """
    container = system.container(name)
    _leaving(system, container)
    repo = system.repo()
    with system.locked(container):
        leaving = _leaving(system, container)
        if container.directory.exists():
            files.refuse_mounts(container.directory)
        carry_out(system, Transition(container, leaving=leaving, entering=None, running=False, enabled=False))
        keep_only(system, repo, container, ())


def _leaving(system: System, container: Container) -> Deployment | None:
    """Return the active deployment; of a damaged container the newest whose record says what it installed."""
    try:
        return container.current()
    except BrokenError as error:
        system.on_event(Warned(error.message))
        readable = container.readable()
        return readable[-1] if readable else None
