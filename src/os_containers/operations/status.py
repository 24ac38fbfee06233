"""All there is to know of one container now: its service, its deployments, its files on the host."""

import time
from dataclasses import dataclass

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.history import once_active
from os_containers.deployment.record import GivenUp
from os_containers.deployment.values import Origin, Values
from os_containers.errors import BrokenError, BusyError
from os_containers.host.drift import drifted_files
from os_containers.host.unit_state import UnitState, UnitUsage
from os_containers.operations.containers import BROKEN, state_of
from os_containers.operations.service import unit_state
from os_containers.operations.system import System


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """A deployment that is kept, the previous one for a rollback.

    created is in seconds since 1970, remote a root file system that it uses.
    """

    serial: int
    active: bool
    previous: bool
    image: str
    digest: str
    created: float
    remote: str
    preinstalled: bool


@dataclass(frozen=True, slots=True)
class HostFileStatus:
    """A file that the container has put on the host; drift says what somebody has done to it since."""

    path: str
    drift: str | None


@dataclass(frozen=True, slots=True)
class ValueStatus:
    """A variable of the container, its value, and who decided it."""

    name: str
    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """A container: since is when its service came to this state, in seconds since 1970, None if never.

    Memory is in bytes, processor in seconds; None where systemd does not count. The problem is that of a
    broken one, whose image, digest, remote and runtime are empty; interrupted is which change was, if any.
    given_up is what `update --all` does not try again.
    """

    name: str
    state: str
    problem: str
    interrupted: str
    given_up: GivenUp | None
    detail: str
    since: float | None
    enabled: bool
    image: str
    digest: str
    remote: str
    runtime: str
    memory: int | None
    processor: float | None
    tasks: int | None
    deployments: tuple[DeploymentStatus, ...]
    host_files: tuple[HostFileStatus, ...]
    values: tuple[ValueStatus, ...]
    log: tuple[str, ...]


def container_status(system: System, name: str, *, lines: int) -> ContainerStatus:
    """Return the status of a container, with so many of the last lines of its journal."""
    container = system.container(name)
    current, problem = _current(container)
    record = current.record if current else None
    unit = UnitState() if record and not record.has_service else unit_state(system, container)
    usage = system.services.usage(container.service) if unit.has_processes else UnitUsage()
    return ContainerStatus(
        name=name,
        state=state_of(record, unit) if record else BROKEN,
        problem=problem,
        interrupted=_interrupted(system, container),
        given_up=record.given_up if record else None,
        detail=f"{unit.active} ({unit.sub})",
        since=_since(unit),
        enabled=unit.is_enabled,
        image=record.image if record else "",
        digest=record.digest if record else "",
        remote=record.remote if record else "",
        runtime=record.runtime if record else "",
        memory=usage.memory,
        processor=usage.processor,
        tasks=usage.tasks,
        deployments=_deployments(container, current),
        host_files=_host_files(current) if current else (),
        values=_values(record.values) if record else (),
        log=tuple(system.services.log_lines(container.service, lines)) if lines else (),
    )


def _current(container: Container) -> tuple[Deployment | None, str]:
    """Return the active deployment, or what is wrong with it."""
    try:
        return container.current(), ""
    except BrokenError as error:
        if not container.exists():
            raise
        return None, error.message


def _interrupted(system: System, container: Container) -> str:
    """Return which change was left half done, nothing while somebody is at work on it."""
    if container.name not in system.journals.names():
        return ""
    try:
        with system.at_once().locked(container):
            journal = system.journals.read(container.name)
    except BusyError:
        return ""
    except BrokenError:
        return "a change"  # check tells more
    return journal.operation if journal else ""


def _since(unit: UnitState) -> float | None:
    changed = unit.changed
    return time.time() - time.monotonic() + changed if changed else None


def _deployments(container: Container, current: Deployment | None) -> tuple[DeploymentStatus, ...]:
    kept = once_active(container)
    others = [one.serial for one in kept if current is not None and one.serial != current.serial]
    return tuple(
        DeploymentStatus(
            serial=one.serial,
            active=current is not None and one.serial == current.serial,
            previous=one.serial in others[-1:],
            image=one.record.image,
            digest=one.record.digest,
            created=one.record.created,
            remote=one.record.remote,
            preinstalled=one.is_factory,
        )
        for one in sorted(kept, key=lambda one: one.serial, reverse=True)
    )


def _values(values: Values) -> tuple[ValueStatus, ...]:
    return tuple(ValueStatus(name, value.text, value.origin) for name, value in sorted(values.items()))


def _host_files(current: Deployment) -> tuple[HostFileStatus, ...]:
    installed = current.record.installed
    drifts = dict(drifted_files(installed))
    return tuple(
        HostFileStatus(one.path, drifts[one.path].name.lower() if one.path in drifts else None)
        for one in installed
    )
