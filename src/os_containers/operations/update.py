"""Update: a container goes over to a newer image or to other values, or stays exactly as it was."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.record import GivenUp
from os_containers.deployment.values import set_by_user
from os_containers.errors import BrokenError, NotFoundError
from os_containers.events import Warned
from os_containers.host.host_policy import Permission
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.image.reference import ImageReference
from os_containers.operations.blueprint import Blueprint, new_blueprint
from os_containers.operations.carry_out import switch_deployment
from os_containers.operations.find_image import stored_image, stored_or_pulled_image
from os_containers.operations.given_up import OnGivenUp, find_given_up
from os_containers.operations.pull import pull
from os_containers.operations.recover import settled
from os_containers.operations.recoverable import told_only
from os_containers.operations.retention import discard
from os_containers.operations.root import (
    find_root,
    is_same,
    made_of,
    require_root_of,
    require_trusted,
)
from os_containers.operations.run_once import require_lasting
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
    *,
    settings: Mapping[str, str],
    unset: Collection[str] = (),
    rebase: str | None = None,
    rootfs: Path | None = None,
    source: Source = Source.STORE,
    runtime: str | None = None,
    options: ProxyOptions | None = None,
    permission: Permission | None = None,
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
        if not named and not root:
            raise _no_image(leaving)
        image: StoredImage | None = None
        if named and source is Source.STORE:
            image = image_in_store(system, repo, leaving, named, or_own=bool(settings or unset))
        elif named:
            image = _pulled_image(system, repo, named, source, options)
        if image and not root:
            require_lasting(image, name)
        found = system.runtime(runtime, recorded=leaving.record.runtime)
        blueprint = new_blueprint(
            container,
            made_of(root, image),
            found,
            settings=settings,
            unset=unset,
            permission=permission,
            leaving=leaving,
        )
        if is_current(leaving, blueprint):
            return Updated(leaving, changed=False)
        given_up = find_given_up(leaving, blueprint)
        if given_up and on_given_up is OnGivenUp.SKIP:
            return Updated(leaving, changed=False, skipped=given_up)
        entering = stage(system, repo, blueprint)
        if root and not _is_news(system, repo, leaving, entering):
            return Updated(leaving, changed=False)
        switch_deployment(system, repo, "update", leaving, entering, is_fresh=True)
    return Updated(entering, changed=True)


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


def root_of_next(system: System, leaving: Deployment, rebase: str | None, rootfs: Path | None) -> Path | None:
    """Return the root file system to go over to, None for that of the image."""
    if rootfs:
        return find_root(system, rootfs)
    if rebase or not leaving.record.remote:
        return None
    require_root_of(leaving)
    require_trusted(system, leaving.root)
    return leaving.root


def _no_image(leaving: Deployment) -> BrokenError:
    return BrokenError(
        f"the record of {leaving.container} does not tell its image",
        hint=f"os-containers update --rebase IMAGE {leaving.container}",
    )


def _source(system: System, leaving: Deployment, named: str, source: Source) -> Source:
    """Return where an image can be had, of all that was asked for."""
    if source is Source.REGISTRY and is_local(named):
        system.on_event(Warned(f"no registry has {named}: what is in the store is taken"))
        return Source.STORE
    # what a predecessor has pulled is no image to us, and what a package brought was none
    return Source.STORE_OR_REGISTRY if not leaving.is_ours and source is Source.STORE else source


def _pulled_image(
    system: System, repo: Repo, image: str, source: Source, options: ProxyOptions | None
) -> StoredImage:
    if source is Source.REGISTRY:
        return pull(system, ImageReference.parse(image), options=options)
    return stored_or_pulled_image(system, repo, image, options=options)


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
            error.message, hint="update --pull fetches it anew, update --rebase IMAGE goes over to another"
        ) from error


def is_current(leaving: Deployment, blueprint: Blueprint) -> bool:
    """Tell whether a blueprint makes what is there; a root file system may always say something new."""
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
