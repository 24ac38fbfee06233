"""What an operation tells while it works. The library emits events; only cli/ shows them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """Something on the host was done; the text is what a person would have typed or seen."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know and that does not stop the work."""

    text: str


@dataclass(frozen=True, slots=True)
class BlobStarted:
    """A blob is being fetched; size in bytes as the manifest declares it."""

    digest: str
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class BlobProgressed:
    """So many more bytes of a blob have arrived."""

    digest: str
    received: int


@dataclass(frozen=True, slots=True)
class BlobFinished:
    """A blob has arrived, was verified and is stored."""

    digest: str


@dataclass(frozen=True, slots=True)
class BlobPresent:
    """A blob is in the store already and is not fetched."""

    digest: str
    kind: str


Event = Step | Warned | BlobStarted | BlobProgressed | BlobFinished | BlobPresent
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
