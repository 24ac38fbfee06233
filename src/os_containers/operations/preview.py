"""What a change would do, exactly, without doing it: the deployment is built, looked at, and let go."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.history import previous, unfinished
from os_containers.errors import BrokenError, ConflictError, NotFoundError
from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.operations import service
from os_containers.operations.blueprint import new_blueprint
from os_containers.operations.choices import Choices
from os_containers.operations.control import require_service, restart, start_unless_running
from os_containers.operations.find_image import named_image
from os_containers.operations.given_up import OnGivenUp, told_of_given_up
from os_containers.operations.install import (
    check_free,
    default_name,
    entry,
    tell_drop_ins,
)
from os_containers.operations.next_deployment import (
    Stays,
    image_in_store,
    next_blueprint,
    root_of_next,
    stays,
)
from os_containers.operations.plan import Plan, nothing_to_do, plan_transition
from os_containers.operations.rehearsal import rehearsed_service
from os_containers.operations.root import find_root, is_same, made_of, require_root_of
from os_containers.operations.run_once import is_run_once, told_of_run
from os_containers.operations.stage import drafted
from os_containers.operations.system import System
from os_containers.operations.transition import switch
from os_containers.operations.uninstall import check_there, leave, unrecorded_left
from os_containers.operations.verify_images import remote_digest
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


def plan_install(
    system: System,
    image: str | None,
    choices: Choices,
    *,
    rootfs: Path | None = None,
    name: str | None = None,
) -> Plan:
    """Return what install would do with an image of the store. Raises as install does."""
    runtime = system.runtime(choices.runtime, recorded="")
    root = find_root(system, rootfs) if rootfs else None
    container = system.container(default_name(image, rootfs) if name is None else name)
    check_free(system, container)
    if image and not (system.paths.repo / "config").exists():
        raise _not_here(f"there is no image {image} in the store", image)  # and no store is made for it
    repo = system.repo()
    stored = _stored(repo, image) if image else None
    if stored and not root and is_run_once(stored):
        steps = (told_of_run(stored),)
        return Plan("run", container.name, image=stored.name, digest=stored.digest, steps=steps)
    with _looked_at(system, container):
        blueprint = new_blueprint(container, made_of(root, stored), runtime, choices)
        tell_drop_ins(system, container)
        with drafted(system, repo, blueprint) as draft:
            return plan_transition(system, entry(container, draft), blueprint.path)


def plan_update(
    system: System,
    name: str,
    choices: Choices,
    *,
    rebase: str | None = None,
    rootfs: Path | None = None,
    newest: ProxyOptions | None = None,
    on_given_up: OnGivenUp = OnGivenUp.TRY_AGAIN,
) -> Plan:
    """Return what update would do with an image of the store. Raises as update does.

    With newest the registry is asked so; when it has another one, to pull that is all that can be planned.
    """
    container = system.container(name)
    container.require()
    repo = system.repo()
    with _looked_at(system, container):
        leaving = container.current()
        root = root_of_next(system, leaving, rebase, rootfs)
        named = rebase or leaving.record.image
        image = _next_image(system, repo, leaving, rebase, or_own=choices.change_values) if named else None
        digest = _newer_digest(system, image, newest) if image and newest else None
        if image and digest:
            return _pull_first(system, leaving, image.name, digest)
        blueprint = next_blueprint(system, container, leaving, choices, root=root, image=image)
        if as_it_is := stays(leaving, blueprint, on_given_up):
            return _plan_to_stay(leaving, as_it_is)
        with drafted(system, repo, blueprint) as draft:
            if root and is_same(leaving, draft, place=blueprint.path):
                return nothing_to_do("update", leaving)
            transition = switch(system, "update", leaving, draft, is_fresh=True)
            return plan_transition(system, transition, blueprint.path)


def plan_rollback(system: System, name: str, *, serial: int | None = None) -> Plan:
    """Return what rollback would do. Raises as rollback does."""
    container = system.container(name)
    container.require()
    with _looked_at(system, container):
        leaving = container.current()
        entering = previous(container, serial)
        require_root_of(entering)
        transition = switch(system, "rollback", leaving, entering, is_fresh=False)
        return plan_transition(system, transition, entering.path)


def plan_uninstall(system: System, name: str) -> Plan:
    """Return what uninstall would do. Raises as uninstall does."""
    container = system.container(name)
    check_there(system, name)
    with _looked_at(system, container):
        transition = leave(system, container)
        plan = plan_transition(system, transition, None)
        return replace(plan, steps=(*plan.steps, *unrecorded_left(transition)))


def _next_image(
    system: System, repo: Repo, leaving: Deployment, rebase: str | None, *, or_own: bool
) -> StoredImage:
    if rebase or not leaving.is_ours:
        return _stored(repo, rebase or leaving.record.image)
    return image_in_store(system, repo, leaving, leaving.record.image, or_own=or_own)


def _plan_to_stay(leaving: Deployment, as_it_is: Stays) -> Plan:
    plan = nothing_to_do("update", leaving)
    if not as_it_is.given_up:
        return plan
    return replace(plan, steps=(told_of_given_up(leaving.container, as_it_is.given_up),))


def _newer_digest(system: System, image: StoredImage, options: ProxyOptions) -> str | None:
    """Return which other image the registry has under a name, None when it has the same."""
    if is_local(image.name):
        return None
    digest = remote_digest(system, image, options)
    return digest if digest != image.digest else None


def _pull_first(system: System, leaving: Deployment, image: str, digest: str) -> Plan:
    system.on_event(
        Warned(f"the registry has a newer {image}; what it would change is known once it is pulled")
    )
    steps = (f"os-containers pull {image}",)
    return Plan("update", leaving.container, image=image, digest=digest, leaving=leaving.serial, steps=steps)


def _stored(repo: Repo, image: str) -> StoredImage:
    try:
        return named_image(repo, image)
    except NotFoundError as error:
        raise _not_here(error.message, image) from error


def _not_here(fact: str, image: str) -> NotFoundError:
    return NotFoundError(fact, hint=f"a dry run fetches nothing: os-containers pull {image}, then try again")


class ServiceVerb(Enum):
    """What can be done to a service by itself."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


_ACTS: Mapping[ServiceVerb, Callable[[System, Container], None]] = {
    ServiceVerb.START: start_unless_running,
    ServiceVerb.STOP: service.stop,
    ServiceVerb.RESTART: restart,
}


def plan_service(system: System, name: str, verb: ServiceVerb) -> Plan:
    """Return what start, stop or restart would do. Raises as they do before they have begun."""
    container = system.container(name)
    with _looked_at(system, container):
        _require_service(container, verb)
        rehearsed, told = rehearsed_service(system)
        _ACTS[verb](rehearsed, container)
    return Plan(verb.value, name, changes=bool(told), steps=tuple(told))


def _require_service(container: Container, verb: ServiceVerb) -> None:
    try:
        require_service(container)
    except BrokenError:
        # what is damaged can still be stopped
        if verb is not ServiceVerb.STOP or not container.exists():
            raise


@contextlib.contextmanager
def _looked_at(system: System, container: Container) -> Iterator[None]:
    """Let nobody change a container meanwhile. Raises ConflictError when a change was interrupted."""
    with system.locked(container):
        if unfinished(container) or container.name in system.journals.names():
            raise ConflictError(
                f"a change of {container.name} was interrupted, and must be finished or undone first",
                hint=f"os-containers recover {container.name}, then try again",
            )
        if any(one.is_predecessors and not one.record.is_adopted for one in container.readable()):
            system.on_event(Warned("a predecessor made this container: it is taken over first"))
        yield
