"""What an update leads to, and whether it leads anywhere: its plan decides the same."""

from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.record import GivenUp
from os_containers.deployment.values import set_by_user
from os_containers.errors import BrokenError, NotFoundError
from os_containers.events import Warned
from os_containers.operations.blueprint import Blueprint, new_blueprint
from os_containers.operations.choices import Choices
from os_containers.operations.find_image import stored_image
from os_containers.operations.given_up import OnGivenUp, find_given_up
from os_containers.operations.root import find_root, made_of, require_root_of, require_trusted
from os_containers.operations.run_once import require_lasting
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


@dataclass(frozen=True, slots=True)
class Stays:
    """The container stays as it is: it is what was asked for, or that was given up before."""

    given_up: GivenUp | None = None


def root_of_next(system: System, leaving: Deployment, rebase: str | None, rootfs: Path | None) -> Path | None:
    """Return the root file system to go over to, None for that of the image."""
    if rootfs:
        return find_root(system, rootfs)
    if rebase or not leaving.record.remote:
        return None
    require_root_of(leaving)
    require_trusted(system, leaving.root)
    return leaving.root


def image_in_store(
    system: System, repo: Repo, leaving: Deployment, image: str, *, or_own: bool
) -> StoredImage:
    """Return the image of a name; or else that which the container has, since its deployment keeps it.

    Raises NotFoundError when there is none.
    """
    record = leaving.record
    try:
        return stored_image(repo, image)
    except NotFoundError as error:
        if or_own and leaving.is_ours and record.image == image and repo.is_whole(record.commit):
            system.on_event(Warned(f"{error.message}: {leaving.container} keeps the one that it has"))
            return repo.stored_commit(image, record.commit)
        # nobody has typed this name: there is none that was meant
        raise NotFoundError(
            error.message, hint="update --pull fetches it again, update --rebase IMAGE switches to another"
        ) from error


def next_blueprint(
    system: System,
    container: Container,
    leaving: Deployment,
    choices: Choices,
    *,
    root: Path | None,
    image: StoredImage | None,
) -> Blueprint:
    """Return what comes after a deployment. Raises as new_blueprint does, and for an image to be run once."""
    if image and not root:
        require_lasting(image, container.name)
    if not image and not root:
        raise _no_image(leaving)
    runtime = system.runtime(choices.runtime, recorded=leaving.record.runtime)
    return new_blueprint(container, made_of(root, image), runtime, choices, leaving=leaving)


def stays(leaving: Deployment, blueprint: Blueprint, on_given_up: OnGivenUp) -> Stays | None:
    """Tell whether nothing comes of a blueprint; a root file system may always say something new."""
    if _is_current(leaving, blueprint):
        return Stays()
    given_up = find_given_up(leaving, blueprint)
    return Stays(given_up) if given_up and on_given_up is OnGivenUp.SKIP else None


def _no_image(leaving: Deployment) -> BrokenError:
    return BrokenError(
        f"the record of {leaving.container} does not name its image",
        hint=f"os-containers update --rebase IMAGE {leaving.container}",
    )


def _is_current(leaving: Deployment, blueprint: Blueprint) -> bool:
    record, image = leaving.record, blueprint.source
    return (
        isinstance(image, StoredImage)
        and not leaving.is_predecessors
        and record.digest == image.digest
        and record.image == image.name
        and not record.remote
        and record.runtime == str(blueprint.runtime.path)
        and set_by_user(record.values) == blueprint.settings
    )
