"""Rollback: the deployment that was active before becomes active again, exactly as it was built."""

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.history import previous
from os_containers.operations.carry_out import switch_deployment
from os_containers.operations.recover import settled
from os_containers.operations.root import require_root_of
from os_containers.operations.system import System


def rollback(system: System, name: str, *, serial: int | None = None) -> Deployment:
    """Return the deployment that is active now; rolling back twice returns to the newer one.

    With a serial it is that of the one to return to. Raises NotFoundError when there is none, ServiceError
    when its service does not start: the one that was to leave runs again then.
    """
    container = system.container(name)
    container.require()
    repo = system.repo()
    with settled(system, repo, container):
        leaving = container.current()
        entering = previous(container, serial)
        require_root_of(entering)
        switch_deployment(system, repo, "rollback", leaving, entering, is_fresh=False)
    return entering
