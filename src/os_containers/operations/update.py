"""Update: a container goes over to a newer image or to other values, or stays exactly as it was."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.record import GivenUp
from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.image.reference import ImageReference
from os_containers.operations.carry_out import switch_deployment
from os_containers.operations.choices import Choices
from os_containers.operations.find_image import stored_or_pulled_image
from os_containers.operations.given_up import OnGivenUp
from os_containers.operations.next_deployment import image_in_store, next_blueprint, root_of_next, stays
from os_containers.operations.pull import pull
from os_containers.operations.recover import settled
from os_containers.operations.recoverable import told_only
from os_containers.operations.retention import discard
from os_containers.operations.root import is_same
from os_containers.operations.stage import stage
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


class Source(Enum):
    """Where an update takes the image from."""

    STORE = "what the store has"
    STORE_OR_REGISTRY = "what the store has, else the registry"
    REGISTRY = "what the registry has now"


@dataclass(frozen=True, slots=True)
class Updated:
    """The active deployment after an update, and whether it is a new one; why it was not tried at all."""

    deployment: Deployment
    changed: bool
    skipped: GivenUp | None = None


def update(
    system: System,
    name: str,
    choices: Choices,
    *,
    rebase: str | None = None,
    rootfs: Path | None = None,
    source: Source = Source.STORE,
    options: ProxyOptions | None = None,
    on_given_up: OnGivenUp = OnGivenUp.TRY_AGAIN,
) -> Updated:
    """Return the container's deployment of the image now in the store (or of `rebase`).

    One of a root file system is made anew from that (or from `rootfs`); `rebase` alone leads to an image.
    Enabled and running stay as they were; a service that had failed is started. Raises ServiceError when the
    new one does not start; the old one runs again then.
    """
    container = system.container(name)
    container.require()
    repo = system.repo()
    with settled(system, repo, container):
        leaving = container.current()
        root = root_of_next(system, leaving, rebase, rootfs)
        named = rebase or leaving.record.image
        source = _source(system, leaving, named, source)
        image: StoredImage | None = None
        if named and source is Source.STORE:
            image = image_in_store(system, repo, leaving, named, or_own=choices.change_values)
        elif named:
            image = _pulled_image(system, repo, named, source, options)
        blueprint = next_blueprint(system, container, leaving, choices, root=root, image=image)
        if as_it_is := stays(leaving, blueprint, on_given_up):
            return Updated(leaving, changed=False, skipped=as_it_is.given_up)
        entering = stage(system, repo, blueprint)
        if root and not _is_news(system, repo, leaving, entering):
            return Updated(leaving, changed=False)
        switch_deployment(system, repo, "update", leaving, entering, is_fresh=True)
    return Updated(entering, changed=True)


def _source(system: System, leaving: Deployment, named: str, source: Source) -> Source:
    """Return where an image can be had, of all that was asked for."""
    if source is Source.REGISTRY and is_local(named):
        system.on_event(Warned(f"no registry has {named}: using the image in the store"))
        return Source.STORE
    # what a predecessor has pulled is no image to us, and what a package brought was none
    return Source.STORE_OR_REGISTRY if not leaving.is_ours and source is Source.STORE else source


def _pulled_image(
    system: System, repo: Repo, image: str, source: Source, options: ProxyOptions | None
) -> StoredImage:
    if source is Source.REGISTRY:
        return pull(system, ImageReference.parse(image), options=options)
    return stored_or_pulled_image(system, repo, image, options=options)


def _is_news(system: System, repo: Repo, leaving: Deployment, entering: Deployment) -> bool:
    """Tell whether a new deployment says anything new; it is discarded if not, or if nobody can tell."""
    is_news = False
    try:
        is_news = not is_same(leaving, entering)
    finally:
        if not is_news:
            with told_only(system):
                discard(system, repo, system.container(leaving.container), entering.serial)
    return is_news
