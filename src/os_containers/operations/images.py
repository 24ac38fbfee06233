"""The images in the store: listed, named anew, forgotten."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from os_containers.errors import BrokenError, ConflictError
from os_containers.events import Warned
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference, normalize_name
from os_containers.operations.find_image import stored_images
from os_containers.operations.image_use import Use, every_image, find_followers, find_uses, nameless_images
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.repo import Repo, StoredLayer
from os_containers.ostree.sizes import Sizes, sizes_by_layer
from os_containers.ostree.stored_image import StoredImage


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image, what of its layers no other image has, and its containers; a dangling one has no name."""

    image: StoredImage
    sizes: Sizes
    uses: tuple[Use, ...]

    @property
    def is_dangling(self) -> bool:
        return not self.image.name


class WhenInUse(Enum):
    """What becomes of the name of an image that containers were made of."""

    KEEP = "it stays"
    DELETE = "it goes; the containers stay as they are"


def list_images(system: System) -> list[ListedImage]:
    """Return the images by name, then those without a name that only containers keep."""
    repo = system.repo()
    uses = find_uses(system, repo)
    images = every_image(repo)
    sizes = sizes_by_layer(repo, images)
    return [ListedImage(one, sizes[one.commit], uses.get(one.commit, ())) for one in images]


def list_layers(system: System) -> list[StoredLayer]:
    """Return the layers in the store."""
    return system.repo().layers()


def tag_image(system: System, source: str, target: str, *, dry_run: bool = False) -> StoredImage:
    """Give an image a second name, but not in a dry run, and return it under that one."""
    repo = system.repo()
    with system.store_in_use():
        image = stored_images(repo, source, nameless=nameless_images(repo))[0]
        name = normalize_name(target)
        if repo.refs.find(refs.image_ref(name)) not in {None, image.commit}:
            users = find_followers(system).get(name, ())
            lost = f", and an update of {', '.join(users)} switches to the new one" if users else ""
            system.on_event(Warned(f"{name} was another image until now{lost}"))
        if dry_run:
            return replace(image, name=name)
        repo.set_image(name, image.commit)
        return repo.image(name)


def delete_images(
    system: System, images: Sequence[str], when_in_use: WhenInUse = WhenInUse.KEEP, *, dry_run: bool = False
) -> list[str]:
    """Take the names of images out of the store and return them: all, or none when one cannot go.

    In a dry run they stay. An id means all names of its image. Deployments made of an image keep working
    without its name. Raises NotFoundError, and ConflictError for the last name of an image in use, and for
    one that a container is updated by.
    """
    repo = system.repo()
    with system.store_in_use():
        commits = {name: commit for image in images for name, commit in _names_of(system, repo, image)}
        if when_in_use is WhenInUse.KEEP:
            _refuse_used(system, repo, commits)
        for name in () if dry_run else commits:
            repo.delete_image(name)
        return list(commits)


def _names_of(system: System, repo: Repo, image: str) -> Iterator[tuple[str, str | None]]:
    """Yield the names that go, each with its commit, which is None when it is damaged."""
    try:
        found = stored_images(repo, image, nameless=nameless_images(repo))
    except BrokenError:
        # not looked at: a damaged image must be deletable
        yield store_name(ImageReference.parse(image)), None
        return
    for one in found:
        if not one.name:
            users = _users(find_uses(system, repo).get(one.commit, ()))
            raise ConflictError(
                f"{image} has no name any more, but is in use by {users}",
                hint="os-containers images prune frees it once no rollback can return to it",
            )
        yield one.name, one.commit


def _refuse_used(system: System, repo: Repo, commits: Mapping[str, str | None]) -> None:
    uses, followers = find_uses(system, repo), find_followers(system)
    keep_a_name = {one.commit for one in repo.images() if one.name not in commits}
    for name, commit in commits.items():
        if commit and commit in uses and commit not in keep_a_name:
            raise ConflictError(
                f"{name} is in use by {_users(uses[commit])}",
                hint="--force removes the name; the container keeps working",
            )
        if commit in uses and name in followers:
            raise ConflictError(
                f"{name} is in use for updates of {', '.join(followers[name])}",
                hint="--force removes the name; update --rebase IMAGE switches to another",
            )


def _users(uses: Iterable[Use]) -> str:
    return ", ".join(dict.fromkeys(use.container for use in uses))
