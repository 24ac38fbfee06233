"""The containers of this host, with one question to systemd for all of them."""

from dataclasses import dataclass

from os_containers.deployment.container import Container, all_and_factories
from os_containers.deployment.record import Record
from os_containers.errors import NotFoundError, OsContainersError
from os_containers.host.unit_state import UnitState
from os_containers.operations.system import System

RUNNING = "running"
FAILED = "failed"
BROKEN = "broken"
INACTIVE = "inactive"
NO_SERVICE = "no service"
STATES = (RUNNING, FAILED, INACTIVE, NO_SERVICE, BROKEN)


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """One container; the record is None when it is broken: problem says why, and hint what to do.

    One that is preinstalled is as the distribution brought it.
    """

    name: str
    state: str
    record: Record | None
    problem: str = ""
    hint: str = ""
    preinstalled: bool = False


def list_containers(system: System) -> list[ListedContainer]:
    """Return all containers, by name; one that is broken is in the list like the others."""
    containers = list(all_and_factories(system.paths))
    states = system.services.states(container.service for container in containers)
    changing = system.journals.names()
    listed = (
        _listed(container, states.get(container.service, UnitState()))
        for container in containers
        # an uninstall takes the link first, an install makes it last
        if container.name not in changing or not container.has_lost_link
    )
    return [one for one in listed if one]


def _listed(container: Container, unit: UnitState) -> ListedContainer | None:
    """Return a container as it is listed, None when somebody has uninstalled it meanwhile."""
    try:
        current = container.current()
    except NotFoundError:
        return None
    except OsContainersError as error:
        return ListedContainer(container.name, BROKEN, None, error.message, error.hint or error.next_step)
    state = state_of(current.record, unit)
    return ListedContainer(container.name, state, current.record, preinstalled=current.is_factory)


def state_of(record: Record, unit: UnitState) -> str:
    """Return how a container is: running, failed, inactive, or no service."""
    if not record.has_service:
        return NO_SERVICE
    if unit.is_down:
        return FAILED
    # what is being stopped runs still
    return RUNNING if unit.is_running or unit.active == "deactivating" else INACTIVE
