"""A container whose symlink is gone or names no deployment, by a fault of the disk or by hand.

The unit on the host still tells which deployment was active. Without such a unit, what is left of the
container is the rest of an uninstall.
"""

from os_containers.deployment.container import Container, Deployment
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System


def lost_deployment(system: System, container: Container) -> Deployment | None:
    """Return the deployment that the host runs while no symlink names one, None where that is in order."""
    active = container.active_path()
    if active and active.parent == container.directory and active.is_dir():
        return None
    unit = UnitFiles.find(system.paths, container.name).unit
    text = unit.read_bytes() if unit.is_file() else b""
    lost = [one for one in container.readable() if one.record.was_active and _has_unit(one, text)]
    return lost[-1] if lost else None


def _has_unit(deployment: Deployment, text: bytes) -> bool:
    return (
        deployment.record.has_service and deployment.unit.is_file() and deployment.unit.read_bytes() == text
    )
