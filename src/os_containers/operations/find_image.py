"""The image that a person names: the one in the store, else the one in the registry.

In the store a person may also say the beginning of its id, as `images list` shows it.
"""

import re
from collections.abc import Sequence

from os_containers.errors import BrokenError, NotFoundError, OsContainersError, RegistryError, UsageError
from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference
from os_containers.operations.image_use import every_image
from os_containers.operations.pull import pull
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.suggestions import image_suggestion

_LIST = "os-containers images list shows what is there"
# Of fewer characters a container's name may be made.
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")


def stored_image(repo: Repo, image: str) -> StoredImage:
    """Return the image in the store. Raises NotFoundError, UsageError for what is no name of one."""
    return stored_images(repo, image)[0]


def stored_images(
    repo: Repo, image: str, *, nameless: Sequence[StoredImage] = (), otherwise: str = _LIST
) -> list[StoredImage]:
    """Return the image of a name, or the one of an id under all its names; nameless are found by that only.

    otherwise is the hint where no name is like it.

    Raises NotFoundError, UsageError for what is no image name, and for an id that more than one begins with.
    """
    named = _find_named(repo, image)
    if isinstance(named, StoredImage):
        return [named]
    images = repo.images()
    found = _with_id(image, [*images, *nameless])
    if found:
        return found
    if isinstance(named, OsContainersError):
        raise named
    raise NotFoundError(
        f"there is no image {image} in the store",
        hint=image_suggestion(
            image.removeprefix("docker://"),
            (one.name for one in images),
            otherwise=otherwise,
        ),
    )


def _find_named(repo: Repo, image: str) -> StoredImage | OsContainersError | None:
    """Return the image of a name, and what is wrong with a name that may be an id."""
    try:
        return repo.find_image(store_name(ImageReference.parse(image)))
    except UsageError as error:
        if not _ID.fullmatch(image):
            raise
        return error


def named_image(repo: Repo, image: str) -> StoredImage:
    """Return the image of a name in the store: a container follows one. Raises as stored_image does."""
    found = _find_named(repo, image)
    if not isinstance(found, StoredImage):
        _refuse_id(repo, image)
        return stored_image(repo, image)
    return found


def _refuse_id(repo: Repo, image: str) -> None:
    """Raise UsageError for the beginning of an id of an image that is here, and not the name of one."""
    for one in _with_id(image, every_image(repo)):
        way = (
            f"give its name: {one.name}"
            if one.name
            else f"os-containers images tag {image} NAME gives it one"
        )
        raise UsageError(f"{image} is the ID of an image, not a name", hint=way)


def _with_id(prefix: str, images: Sequence[StoredImage]) -> list[StoredImage]:
    match = _ID.fullmatch(prefix)
    found = [one for one in images if match and one.digest.hex.startswith(match[1])]
    ids = dict.fromkeys(one.digest for one in found)
    if len(ids) > 1:
        shown = ", ".join(f"{one.digest.hex[:12]} ({one.name or 'no name'})" for one in found)
        raise UsageError(f"{len(ids)} images have an ID that begins with {prefix}", hint=f"one of: {shown}")
    return found


def stored_or_pulled_image(
    system: System, repo: Repo, image: str, *, options: ProxyOptions | None = None
) -> StoredImage:
    """Return the image in the store; pull it when it is not there, or is damaged.

    Raises what pull does; where no registry has it, the names in the store that are like it are asked for.
    UsageError for the id of one that is here: a container follows a name.
    """
    reference = ImageReference.parse(image)
    try:
        found = repo.find_image(store_name(reference))
    except BrokenError as error:
        system.on_event(Warned(error.message))
        found = None
    if found is None:
        _refuse_id(repo, image)
    try:
        return found or pull(system, reference, options=options)
    except (RegistryError, NotFoundError) as error:
        hint = error.hint or error.next_step
        known = (one.name for one in repo.images())
        near = image_suggestion(image.removeprefix("docker://"), known, otherwise="")
        raise type(error)(error.message, hint=f"{hint}; in the store: {near}" if near else hint) from error
