"""Images that say of themselves that they are run once, instead of installed, as atomic had it."""

from os_containers.errors import UsageError
from os_containers.image.about import parse_about
from os_containers.ostree.stored_image import STORED, StoredImage

_LABEL = "atomic.run"


def is_run_once(image: StoredImage) -> bool:
    """Tell whether an image is to be run once."""
    return parse_about(image.config, STORED).labels.get(_LABEL) == "once"


def told_of_run(image: StoredImage) -> str:
    """Return what is said of an image that is run once."""
    return f"{image.name} is run once, and not installed: it has the label {_LABEL}=once"


def require_lasting(image: StoredImage, container: str) -> None:
    """Raise UsageError for an image of which no container can be made that lasts."""
    if is_run_once(image):
        raise UsageError(
            f"{image.name} is meant to be run once, so {container} cannot switch to it: "
            f"it has the label {_LABEL}=once",
            hint=f"os-containers run {image.name} runs it; {container} stays as it is",
        )
