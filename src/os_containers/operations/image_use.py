"""Which containers are made of which images, and the images that only these keep."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.container import Container, all_containers
from os_containers.errors import BrokenError, OsContainersError
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage

Uses = Mapping[str, "tuple[Use, ...]"]


@dataclass(frozen=True, slots=True)
class Use:
    """A deployment that was made of an image; one that is not active is there to return to.

    With the name of a container of another state comes where that is.
    """

    container: str
    serial: int
    active: bool


def find_uses(system: System, repo: Repo) -> Uses:
    """Return the deployments by the commit of their image, those of damaged containers too."""
    found: dict[str, list[Use]] = {}
    active = {}
    for (name, serial), commit in sorted(repo.pins.readable().items()):
        if name not in active:
            active[name] = system.named(name).own_active_path()
        is_active = active[name] == system.named(name).deployment_path(serial)
        found.setdefault(commit, []).append(Use(name, serial, is_active))
    for ref, commit in repo.pins.of_others().items():
        found.setdefault(commit, []).append(_others_use(ref))
    return {commit: tuple(uses) for commit, uses in found.items()}


def _others_use(ref: str) -> Use:
    name, serial = refs.parse_pin(ref)
    state = refs.pin_state(ref)
    if state is None:
        return Use(f"{name} (another state)", serial, active=False)
    container = Container(name, Path(state))
    return Use(f"{name} ({state})", serial, container.own_active_path() == container.deployment_path(serial))


def find_followers(system: System) -> Mapping[str, tuple[str, ...]]:
    """Return the containers by the name of the image that an update of them asks for."""
    found: dict[str, list[str]] = {}
    for container in all_containers(system.paths):
        # check tells of one that is damaged
        with contextlib.suppress(OsContainersError):
            found.setdefault(container.current().record.image, []).append(container.name)
    return {name: tuple(containers) for name, containers in found.items()}


def every_image(repo: Repo) -> list[StoredImage]:
    """Return the images by name, then those that have lost their name."""
    return [*repo.images(), *nameless_images(repo)]


def nameless_images(repo: Repo) -> list[StoredImage]:
    """Return the images that have lost their name and that only deployments keep."""
    named = {repo.refs.find(ref) for ref in repo.image_refs()}
    found = []
    pinned = {*repo.pins.readable().values(), *repo.pins.of_others().values()}
    for commit in sorted(pinned - named):
        # check tells of one that is damaged
        with contextlib.suppress(BrokenError):
            found.append(repo.stored_commit("", commit))
    return found
