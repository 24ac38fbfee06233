"""Raw images into a real repo, as pull brings them."""

from images import RawImage

from os_containers.events import Event
from os_containers.image.limits import Limits
from os_containers.ostree.importer import import_image
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


def import_raw(
    repo: Repo, image: RawImage, *, limits: Limits | None = None, events: list[Event] | None = None
) -> StoredImage:
    """Store an image under the name "image"; what is told meanwhile is added to events."""
    return import_image(
        repo,
        image.source,
        manifest_digest=image.digest,
        manifest_raw=image.manifest,
        config_raw=image.config,
        name="image",
        limits=limits or Limits(),
        on_event=(events if events is not None else []).append,
    )
