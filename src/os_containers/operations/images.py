"""The images in the store: listed, named anew, forgotten."""

from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference, normalize_name
from os_containers.operations.find_image import stored_image
from os_containers.operations.system import System
from os_containers.ostree.repo import StoredLayer
from os_containers.ostree.stored_image import StoredImage


def list_images(system: System) -> list[StoredImage]:
    """Return the images in the store, by name."""
    return system.repo().images()


def list_layers(system: System) -> list[StoredLayer]:
    """Return the layers in the store."""
    return system.repo().layers()


def tag_image(system: System, source: str, target: str) -> StoredImage:
    """Give an image a second name and return it under that one."""
    repo = system.repo()
    with system.store_in_use():
        image = stored_image(repo, source)
        name = normalize_name(target)
        repo.set_image(name, image.commit)
        return repo.image(name)


def delete_image(system: System, image: str) -> str:
    """Take an image's name out of the store and return it; deployments made from it keep working."""
    repo = system.repo()
    with system.store_in_use():
        # not looked at: a damaged image must be deletable
        name = store_name(ImageReference.parse(image))
        repo.delete_image(name)
        return name
