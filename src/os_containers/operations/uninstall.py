"""Uninstall: nothing of ours stays on the host but what a person changed, and the container's data."""

from pathlib import Path

from os_containers.deployment.container import Deployment
from os_containers.host.unit import directories_of
from os_containers.operations.retention import keep_only
from os_containers.operations.system import System
from os_containers.operations.transition import Transition, carry_out


def uninstall(system: System, name: str) -> None:
    """Remove a container with all its deployments; its image stays in the store."""
    container = system.container(name)
    container.current()
    repo = system.repo()
    with system.locked(container):
        leaving = container.current()
        directories = _state_directories(leaving)
        carry_out(system, Transition(container, leaving=leaving, entering=None, running=False, enabled=False))
        keep_only(system, repo, container, ())
    for directory in directories:
        if directory.is_dir():
            system.tell(f"kept {directory}: the data of {name}")


def _state_directories(deployment: Deployment) -> list[Path]:
    """Return the directories under STATE_DIRECTORY that the tmpfiles.d fragment of a deployment makes."""
    state = deployment.record.values.get("STATE_DIRECTORY")
    if state is None or not deployment.tmpfiles.exists():
        return []
    made = (Path(one) for one in directories_of(deployment.tmpfiles.read_text(errors="replace")))
    inside = [one for one in made if one.is_relative_to(state.text)]
    return [one for one in inside if not set(one.parents) & set(inside)]
