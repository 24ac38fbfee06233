"""What a change leaves to later commands, or to the boot: the unit that recovers, what is only told."""

import contextlib
from collections.abc import Iterator

from os_containers.deployment.container import all_containers
from os_containers.errors import OsContainersError
from os_containers.events import Warned
from os_containers.faults import tidied_later
from os_containers.host.recovery_unit import RecoveryUnit
from os_containers.operations.system import System


@contextlib.contextmanager
def recoverable(system: System) -> Iterator[None]:
    """Let systemd recover at boot, from before the first step of a change until after its last.

    Raises BusyError when the host lock is not to be had: better now than when the service is stopped.
    """
    install_recovery_unit(system)
    try:
        yield
    finally:
        with told_only(system):
            remove_recovery_unit(system)


@contextlib.contextmanager
def told_only(system: System) -> Iterator[None]:
    """Let what fails here be no failure of the change: the next command tries it again."""
    try:
        yield
    except (OsContainersError, OSError) as error:
        system.on_event(Warned(tidied_later(error)))


def install_recovery_unit(system: System) -> None:
    """Put our unit in place, unless the host has one."""
    with system.host_locked():
        RecoveryUnit.find(system.paths).install(system.paths, system.environment, system.services)


def remove_recovery_unit(system: System) -> None:
    """Take our own unit away when there is nothing left that it could be needed for."""
    if not is_recovery_unit_needed(system):
        with system.host_locked():
            if not is_recovery_unit_needed(system):
                RecoveryUnit.find(system.paths).remove(system.services)


def is_recovery_unit_needed(system: System, *, apart_from: str = "") -> bool:
    """Tell whether there is a container, not counting one that goes, or a change that may make one."""
    stay = [one for one in all_containers(system.paths) if one.name != apart_from]
    return bool(stay or system.journals.names())
