"""Run a command: in a running container, beside a stopped one, or in an image; its exit code is ours."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from os_containers import files, process
from os_containers.deployment import runtime_config
from os_containers.deployment.container import Container, all_and_factories
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.errors import BusyError, ConflictError, NotFoundError, UsageError
from os_containers.host.runtime import Runtime
from os_containers.host.unit import cgroup_path, default_slice, directories_of, slice_path
from os_containers.host.unit_files import UnitFiles
from os_containers.image.access import ProxyOptions
from os_containers.image.reference import container_name
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.build import build
from os_containers.operations.command import (
    Command,
    check_command,
    lost_output,
    may_mount,
    process_of,
    runtime_failure,
)
from os_containers.operations.find_image import stored_image, stored_or_pulled_image
from os_containers.operations.lone_commands import waited_for, waiting
from os_containers.operations.root import require_root_of
from os_containers.operations.service import unit_state
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.scratch import Scratch
from os_containers.suggestions import suggestion

# How long a service may need from being active to its container (seconds).
STARTS_WITHIN = 2.0
_STEP = 0.05


@dataclass(frozen=True, slots=True)
class _Temporary:
    """A container that lives as long as one command; where is what a person calls it."""

    name: str
    where: str
    bundle: Scratch
    config: RuntimeConfig
    runtime: Runtime


def run(
    system: System,
    name_or_image: str,
    command: Command,
    *,
    settings: Mapping[str, str],
    runtime: str | None = None,
    options: ProxyOptions | None = None,
) -> int:
    """Return the exit code of a command that was run on our own terminal.

    Values can be set for an image only. Raises UsageError otherwise.
    """
    container = _existing(system, name_or_image)
    if container is None:
        return _run_in_image(
            system,
            name_or_image,
            command,
            settings=settings,
            runtime=runtime,
            options=options,
        )
    if settings:
        raise UsageError(
            f"{container.name} already has its values",
            hint=f"change them: os-containers update --set NAME=VALUE {container.name}",
        )
    if not command.words:
        raise UsageError(
            f"no command to run in {container.name}",
            hint=f"to start it: os-containers start {container.name}",
        )
    if unit_state(system, container).has_processes:
        return execute(system, name_or_image, command, runtime=runtime)
    deployment = container.current()
    found = system.runtime(runtime, recorded=deployment.record.runtime)
    return _run_beside(system, deployment, found, command)


def execute(
    system: System,
    name: str,
    command: Command,
    *,
    runtime: str | None = None,
) -> int:
    """Return the exit code of a command that was run in a running container, on our own terminal.

    Raises ConflictError when the container does not run.
    """
    container = system.container(name)
    deployment = container.current()
    if not unit_state(system, container).has_processes:
        beside = f"os-containers run {name} COMMAND"
        if not deployment.record.has_service:
            raise ConflictError(f"{name} has no service to run a command in", hint=beside)
        raise ConflictError(
            f"{name} is not running",
            hint=f"os-containers start {name}, or in a temporary container: {beside}",
        )
    found = system.runtime(runtime, recorded=deployment.record.runtime)
    _wait_until_running(system, container, found)
    return _join(system, found, deployment, command)


def _existing(system: System, name: str) -> Container | None:
    try:
        container = system.container(name)
    except UsageError:
        return None  # an image reference then
    return container if container.exists() else None


def _run_beside(system: System, deployment: Deployment, runtime: Runtime, command: Command) -> int:
    """Run a command with the rootfs, mounts and values of a stopped container."""
    tmpfiles = UnitFiles.find(system.paths, deployment.container).tmpfiles
    if tmpfiles.exists():
        system.services.create_tmpfiles(tmpfiles)
    require_root_of(deployment)
    config = _load_config(deployment)
    name = _temporary_name(deployment.container)
    with system.store_in_use(), staging_directory(system, name) as bundle:
        config["root"]["path"] = str(deployment.root)
        where = deployment.container
        config["process"] = _process(system, config, command, deployment.root, where=where)
        return _run_temporary(system, _Temporary(name, where, bundle, config, runtime))


def _run_in_image(
    system: System,
    image: str,
    command: Command,
    *,
    settings: Mapping[str, str],
    runtime: str | None,
    options: ProxyOptions | None,
) -> int:
    """Run a command in an image, and leave nothing behind."""
    found = system.runtime(runtime, recorded="")
    repo = system.repo()
    if "/" in image or ":" in image:
        stored = stored_or_pulled_image(system, repo, image, options=options)
    else:
        stored = _stored_image(system, repo, image)
    return run_image(system, repo, stored, command, settings=settings, runtime=found)


def run_image(
    system: System,
    repo: Repo,
    stored: StoredImage,
    command: Command,
    *,
    settings: Mapping[str, str],
    runtime: Runtime,
    name: str | None = None,
) -> int:
    """Return the exit code of a command, by default the image's own, that was run in an image."""
    name = _temporary_name(name or container_name(stored.name))
    with system.store_in_use(), staging_directory(system, name) as bundle:
        # its volumes go with the command
        blueprint = Blueprint(name, bundle.path, 0, stored, runtime, settings, volumes=bundle.path)
        config = build(system, repo, blueprint, bundle.path).config
        config["root"]["path"] = str(bundle.path / "rootfs")
        where = stored.name or "the image"
        config["process"] = _process(system, config, command, bundle.path / "rootfs", where=where)
        with _directories_for(system, bundle.path / f"tmpfiles-{name}.conf", config):
            return _run_temporary(system, _Temporary(name, where, bundle, config, runtime))


def _stored_image(system: System, repo: Repo, name: str) -> StoredImage:
    """Return the image of a short name; rather a mistyped container than one to fetch and run."""
    try:
        return stored_image(repo, name)
    except NotFoundError as error:
        containers = [container.name for container in all_and_factories(system.paths)]
        raise NotFoundError(
            f"there is no container or image named {name!r}",
            hint=suggestion(name, containers, otherwise=error.hint or error.next_step),
        ) from error


def _wait_until_running(system: System, container: Container, runtime: Runtime) -> None:
    """Return when a command can join the container: a service counts as active before its runtime has begun.

    Raises BusyError when that takes long.
    """
    deadline = time.monotonic() + STARTS_WITHIN
    while not runtime.is_running(container.name):
        unit = unit_state(system, container)
        if not unit.has_processes or time.monotonic() >= deadline:
            status = system.services.shown("systemctl", "status", container.name)
            fact = f"{container.service} is {unit.active} ({unit.sub})"
            raise BusyError(
                f"no command can join {container.name} yet: {fact}, {runtime.path.name} has not started it",
                hint=f"{status} shows how far it is; try again when it runs, or stop it first",
            )
        time.sleep(_STEP)


def _join(system: System, runtime: Runtime, deployment: Deployment, command: Command) -> int:
    config, name = _load_config(deployment), deployment.container
    described = _described(system, config, command, deployment.root)
    # whoever may mount has what no one sees from here
    if not may_mount(config):
        check_command(config, described, command, deployment.root, where=name)
    scope = system.services.scope_command(_temporary_name(name), description=waited_for(name))
    with (
        files.in_memory(runtime_config.dump_config(described)) as (path, descriptor),
        files.in_memory(b"") as (log, log_descriptor),
    ):
        argv = runtime.exec_command(name, path, log=log)
        code = process.run_attached([*scope, *argv], passed_fds=[descriptor, log_descriptor])
        return _exit_code(code, log.read_bytes(), described, where=name)


def _load_config(deployment: Deployment) -> RuntimeConfig:
    raw = deployment.config.read_bytes()
    return runtime_config.parse_config(raw, source=str(deployment.config), root=deployment.root)


def _run_temporary(system: System, temporary: _Temporary) -> int:
    """Run a temporary container to its end, on our own terminal if we have one."""
    name, config = temporary.name, temporary.config
    slices = slice_path("", default=default_slice(system.mode))
    cgroup = cgroup_path(f"{name}.scope", mode=system.mode, uid=os.geteuid(), slices=slices)
    config["linux"]["cgroupsPath"] = cgroup
    bundle = temporary.bundle
    (bundle.path / "config.json").write_bytes(runtime_config.dump_config(config))
    scope = system.services.scope_command(name)
    with files.in_memory(b"") as (log, log_descriptor):
        argv = [*scope, *temporary.runtime.run_command(name, bundle.path, log=log)]
        with waiting(bundle.path, temporary.runtime):
            code = _run_in_scope(argv, temporary, log_descriptor)
        return _exit_code(code, log.read_bytes(), config["process"], where=temporary.where)


def _exit_code(code: int, log: bytes, command: Mapping[str, Any], *, where: str) -> int:
    process.write_attached(lost_output(log))
    failure = runtime_failure(code, log, command, where=where)
    if failure:
        raise failure
    return code


def _run_in_scope(argv: Sequence[str], temporary: _Temporary, log_descriptor: int) -> int:
    try:
        # while the command lives, so does its bundle: also when we are killed
        return process.run_attached(argv, passed_fds=[temporary.bundle.descriptor, log_descriptor])
    finally:
        temporary.runtime.delete(temporary.name)


def _process(
    system: System, config: RuntimeConfig, command: Command, rootfs: Path, *, where: str
) -> dict[str, Any]:
    described = _described(system, config, command, rootfs)
    check_command(config, described, command, rootfs, where=where)
    return described


def _described(system: System, config: RuntimeConfig, command: Command, rootfs: Path) -> dict[str, Any]:
    terminal_type = system.environment.get("TERM", "xterm")
    return process_of(config, command, rootfs=rootfs, terminal_type=terminal_type)


def _temporary_name(name: str) -> str:
    return f"{name}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def _directories_for(system: System, tmpfiles: Path, config: RuntimeConfig) -> Iterator[None]:
    """Make the host directories that a container needs; those that are empty at the end go again.

    What is in the bundle goes with that.
    """
    made = directories_of(tmpfiles.read_text(errors="replace")) if tmpfiles.exists() else []
    sources = runtime_config.bind_sources(config)
    missing = {
        one
        for path in (*made, *sources)
        for one in _missing(Path(path))
        if not one.is_relative_to(tmpfiles.parent)
    }
    try:
        if made:
            system.services.create_tmpfiles(tmpfiles)
        for source in sources:
            files.make_directory(Path(source))
        yield
    finally:
        for directory in sorted(missing, reverse=True):
            _remove_if_empty(system, directory)


def _missing(path: Path) -> list[Path]:
    """Return the directories that making path would create."""
    return [one for one in (path, *path.parents) if not os.path.lexists(one)]


def _remove_if_empty(system: System, directory: Path) -> None:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        # what is in it may be somebody else's by now
        system.tell(f"kept {directory}: it is not empty")
