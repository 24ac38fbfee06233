"""What is told while systemd takes its time with a service."""

import contextlib
import threading
from collections.abc import Iterator

from os_containers.deployment.container import Container
from os_containers.errors import OsContainersError
from os_containers.host.unit_state import UnitState
from os_containers.operations.system import System

# After so many seconds a person wonders.
PATIENCE = 3.0
# How long (seconds) it may take to end what is being told already.
_LAST_WORD = 1.0


@contextlib.contextmanager
def wait_told(system: System, container: Container, verb: str) -> Iterator[None]:
    """Tell once, when it takes some seconds, what is waited for and how long systemd lets it take."""
    timer = threading.Timer(PATIENCE, _tell, (system, container, verb))
    timer.daemon = True
    # nothing is left undone for want of a thread
    with contextlib.suppress(RuntimeError):
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.ident is not None:
            # whoever is interrupted does not wait for an answer of systemd
            timer.join(_LAST_WORD)


def _tell(system: System, container: Container, verb: str) -> None:
    unit = UnitState()
    with contextlib.suppress(OsContainersError):
        unit = system.services.states([container.service]).get(container.service, unit)
    stop, start = f"TimeoutStopSec={unit.stop_timeout}", f"TimeoutStartSec={unit.start_timeout}"
    limits = {"stop": [stop], "start": [start], "restart": [stop, start]}[verb]
    known = [one for one in limits if not one.endswith("=")]
    system.tell("; ".join([f"waiting for systemd to {verb} {container.service}", *known]))
