"""Install: an image becomes a container that systemd can start."""

from pathlib import Path

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.errors import ConflictError
from os_containers.events import Warned
from os_containers.host.names import files_with_name, kept_drop_ins
from os_containers.image.access import ProxyOptions
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference, container_name
from os_containers.operations.blueprint import new_blueprint
from os_containers.operations.carry_out import carry_out
from os_containers.operations.choices import Choices
from os_containers.operations.command import Command
from os_containers.operations.find_image import stored_or_pulled_image
from os_containers.operations.journal import ServiceState
from os_containers.operations.recover import settled
from os_containers.operations.root import find_root, made_of, no_image
from os_containers.operations.run import run_image
from os_containers.operations.run_once import is_run_once, told_of_run
from os_containers.operations.service import unit_state
from os_containers.operations.stage import stage
from os_containers.operations.system import System
from os_containers.operations.transition import Transition


def install(
    system: System,
    image: str | None,
    choices: Choices,
    *,
    rootfs: Path | None = None,
    name: str | None = None,
    options: ProxyOptions | None = None,
) -> Deployment:
    """Return the first deployment of a new container, enabled and not started.

    With a rootfs it runs that root file system, and an image says only what runs in it by default.
    Raises ConflictError when the name is taken, PolicyError when a host file needs a permission; whatever
    fails, nothing is left of it.
    """
    runtime = system.runtime(choices.runtime, recorded="")
    root = find_root(system, rootfs) if rootfs else None
    container = system.container(default_name(image, rootfs) if name is None else name)
    if container.name not in system.journals.names():
        check_free(system, container)  # rather before the image is pulled
    repo = system.repo()
    stored = stored_or_pulled_image(system, repo, image, options=options) if image else None
    with settled(system, repo, container):
        check_free(system, container)
        blueprint = new_blueprint(container, made_of(root, stored), runtime, choices)
        deployment = stage(system, repo, blueprint)
        tell_drop_ins(system, container)
        carry_out(system, repo, entry(container, deployment))
    return deployment


def tell_drop_ins(system: System, container: Container) -> None:
    """Tell what the admin has said already about the unit of a container."""
    for path in kept_drop_ins(system.paths, container.name):
        system.on_event(Warned(f"{path} already exists, and applies to {container.service}"))


def entry(container: Container, deployment: Deployment) -> Transition:
    """Return the change by which the first deployment of a container enters."""
    return Transition(
        operation="install",
        container=container,
        leaving=None,
        entering=deployment,
        before=ServiceState(running=False, enabled=False),
        after=ServiceState(running=False, enabled=True),
        is_fresh=True,
    )


def install_or_run_once(
    system: System,
    image: str,
    choices: Choices,
    *,
    name: str | None = None,
    options: ProxyOptions | None = None,
) -> Deployment | int:
    """Return what install does, or the exit code of an image that says that it is to be run once.

    That one leaves nothing behind.
    """
    runtime = system.runtime(choices.runtime, recorded="")
    container = system.container(default_name(image, None) if name is None else name)
    if container.name not in system.journals.names():
        check_free(system, container)
    repo = system.repo()
    stored = stored_or_pulled_image(system, repo, image, options=options)
    if is_run_once(stored):
        system.tell(told_of_run(stored))
        settings, command = choices.settings, Command()
        return run_image(
            system, repo, stored, command, settings=settings, runtime=runtime, name=container.name
        )
    return install(system, image, choices, name=name, options=options)


def default_name(image: str | None, rootfs: Path | None) -> str:
    """Return the name of a container for which nobody has chosen one."""
    if image:
        return container_name(store_name(ImageReference.parse(image)))
    if rootfs is None:
        raise no_image()
    return rootfs.absolute().name


def check_free(system: System, container: Container) -> None:
    """Raise ConflictError when a container's name is taken."""
    if container.factory and not container.link.is_symlink():
        raise ConflictError(
            f"the system provides a container named {container.name!r}, in {container.factory}",
            hint=f"os-containers update --rebase IMAGE {container.name}, or choose another name with --name",
        )
    if container.has_lost_link and not container.is_blocked:
        raise ConflictError(
            f"there is a container named {container.name!r} already, without its symlink",
            hint=f"os-containers repair, os-containers uninstall {container.name}, "
            "or choose another name with --name",
        )
    if container.link.is_symlink():
        raise ConflictError(
            f"there is a container named {container.name!r} already",
            hint=f"os-containers update {container.name}, or choose another name with --name",
        )
    if container.is_blocked:
        raise ConflictError(f"{container.link} is in the way", hint="choose another name with --name")
    _check_unit_free(system, container)


def _check_unit_free(system: System, container: Container) -> None:
    another = "choose another name with --name"
    for path in files_with_name(system.paths, system.services, container.name):
        raise ConflictError(f"{path} already exists", hint=another)
    state = unit_state(system, container)
    if state.load != "not-found":
        raise ConflictError(f"the host has its own {container.service} ({state.load})", hint=another)
