"""The image that a person names: the one in the store, else the one in the registry."""

from os_containers.errors import BrokenError, NotFoundError
from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference
from os_containers.operations.pull import pull
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


def stored_image(repo: Repo, image: str) -> StoredImage:
    """Return the image in the store. Raises NotFoundError, UsageError for what is no image name."""
    found = repo.find_image(store_name(ImageReference.parse(image)))
    if found is None:
        raise NotFoundError(
            f"there is no image {image} in the store", hint="os-containers images list shows what is there"
        )
    return found


def stored_or_pulled_image(
    system: System, repo: Repo, image: str, *, options: ProxyOptions | None = None
) -> StoredImage:
    """Return the image in the store; pull it when it is not there, or is damaged."""
    reference = ImageReference.parse(image)
    try:
        found = repo.find_image(store_name(reference))
    except BrokenError as error:
        system.on_event(Warned(error.message))
        found = None
    return found or pull(system, reference, options=options)
