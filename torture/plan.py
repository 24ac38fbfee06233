"""What is to be tortured, and how much."""

from dataclasses import dataclass

PARTS = tuple("abcdefg")
OF_IMAGE = ("install", "update", "rollback", "uninstall", "pull", "prune")
OF_PACKAGE = ("update-package", "rollback-package", "rollback-factory", "uninstall-package")
OF_ROOT = ("install-rootfs", "update-rootfs", "uninstall-rootfs")
OPERATIONS = (*OF_IMAGE, *OF_PACKAGE, *OF_ROOT)
# 4 MiB each, on 64 MiB
FILLING_IMAGES = 18


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts and operations, and how many points and rounds; a sample of 0 points is all of them."""

    suite: str = "trixie"
    parts: tuple[str, ...] = PARTS
    operations: tuple[str, ...] = OPERATIONS
    sample: int = 0
    rounds: int = 300
    runs: int = 200
    seed: int = 1


def words_of(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words between commas. Raises ValueError for one that is not known."""
    words = tuple(text.split(","))
    if not set(words) <= set(known):
        raise ValueError(text)
    return words
