"""Commands of `run` and `exec`, and who waits for them: when that one was killed, they run on.

Each has a scope of its own. A temporary container has a bundle:

.staging/NAME-XXXXXXXX/     the bundle; whoever runs the command holds it
    runtime -> /usr/bin/crun
    waiter/                 held by the os-containers that waits for the command

A command in a running container has none: it must work where nothing can be written. Its scope's description
says who waits for it. (The scope holds the runtime, which passes on to the command that it is to end; the
command is in the container's own control group.)

They are told, and it is for a person to end them.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from os_containers import process, scratch
from os_containers.errors import SystemFaultError
from os_containers.events import Warned
from os_containers.host.runtime import Runtime
from os_containers.operations.system import System

_RUNTIME, _WAITER = "runtime", "waiter"
_WAITED_FOR = re.compile(r"os-containers exec in \S+, for process (\d+) of (\d+)")


@contextlib.contextmanager
def waiting(bundle: Path, runtime: Runtime) -> Iterator[None]:
    """Let others know that somebody waits for what runs in a bundle, and by which runtime it runs."""
    (bundle / _RUNTIME).symlink_to(runtime.path)
    waiter = bundle / _WAITER
    waiter.mkdir()
    with scratch.locked_directory(waiter):
        yield
        # what holds the bundle from here on is nobody's command
        waiter.rmdir()


def waited_for(container: str) -> str:
    """Return the description of the scope of a command that joins a container: we wait for it."""
    pid = os.getpid()
    return f"os-containers exec in {container}, for process {pid} of {process.birth(pid)}"


def find_lone(system: System) -> list[str]:
    """Return the names of the commands that run although nobody waits for them."""
    waiters = system.paths.staging.glob(f"*/{_WAITER}")
    lone = [
        scratch.work_of(one.parent)
        for one in waiters
        if scratch.is_abandoned(one) and (not scratch.is_abandoned(one.parent) or _runs(one.parent))
    ]
    return sorted([*lone, *_lone_in_containers(system)])


def _lone_in_containers(system: System) -> Iterator[str]:
    for scope, description in system.services.scopes().items():
        found = _WAITED_FOR.fullmatch(description)
        # a scope stays for a moment when its processes have ended
        if (
            found
            and process.birth(int(found[1])) != found[2]
            and process.is_in_control_group(f"{scope}.scope")
        ):
            yield scope


def told_of_lone(system: System, name: str) -> str:
    """Return what is said of a command for which nobody waits."""
    ended = system.services.shown("systemctl", "stop", f"{name}.scope")
    return f"{name} is still running, but its os-containers was killed; to stop it: {ended}"


def tell_lone(system: System) -> None:
    """Tell which commands run although nobody waits for them."""
    for name in find_lone(system):
        system.on_event(Warned(told_of_lone(system, name)))


def let_go(bundle: Path) -> bool:
    """Let the runtime forget what it ran in an abandoned bundle; False when that runs all the same."""
    if not (bundle / _RUNTIME).is_symlink():
        return True
    if _runs(bundle):
        return False
    with contextlib.suppress(SystemFaultError):
        _runtime(bundle).delete(scratch.work_of(bundle))
    return True


def _runs(bundle: Path) -> bool:
    # one that is not installed any more runs nothing
    with contextlib.suppress(SystemFaultError):
        return _runtime(bundle).is_running(scratch.work_of(bundle))
    return False


def _runtime(bundle: Path) -> Runtime:
    return Runtime((bundle / _RUNTIME).readlink())
