"""What is told on stderr, for programs: one JSON object a line, of which `event` says the kind.

More kinds, and more keys, may come later; none goes.
"""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import assert_never

import msgspec

from os_containers.events import (
    BlobFinished,
    BlobPresent,
    BlobProgressed,
    BlobStarted,
    Event,
    Step,
    Warned,
)

_SECONDS_BETWEEN = 0.1


class StepLine(msgspec.Struct, frozen=True, tag_field="event", tag="step"):
    """Something on the host was done."""

    text: str


class WarningLine(msgspec.Struct, frozen=True, tag_field="event", tag="warning"):
    """Something that the user should know, but that does not stop the command."""

    text: str


class HintLine(msgspec.Struct, frozen=True, tag_field="event", tag="hint"):
    """What can be done about the preceding warnings."""

    text: str


class LayerPresent(msgspec.Struct, frozen=True, tag_field="event", tag="layer-present"):
    """A layer is in the store already, and is not fetched."""

    digest: str


class LayerStarted(msgspec.Struct, frozen=True, tag_field="event", tag="layer-started"):
    """A layer is being fetched; repeated if the fetch is retried, from the beginning of the layer."""

    digest: str
    total: int


class LayerProgress(msgspec.Struct, frozen=True, tag_field="event", tag="layer-progress"):
    """How many bytes of a layer have arrived so far, and how many there are in total."""

    digest: str
    bytes: int
    total: int


class LayerFinished(msgspec.Struct, frozen=True, tag_field="event", tag="layer-finished"):
    """A layer has arrived and was verified."""

    digest: str
    bytes: int
    total: int


class LogLine(msgspec.Struct, frozen=True, tag_field="event", tag="log"):
    """A log message: what --verbose and --debug show, and what is logged without them."""

    level: str
    text: str


class ErrorLine(msgspec.Struct, frozen=True, tag_field="event", tag="error"):
    """What failed, what to do next, and the exit code for it."""

    text: str
    hint: str
    exit_code: int


Line = (
    StepLine
    | WarningLine
    | HintLine
    | LayerPresent
    | LayerStarted
    | LayerProgress
    | LayerFinished
    | LogLine
    | ErrorLine
)


def render_line(line: Line) -> str:
    """Return it as JSON, all of it ASCII: an image may have chosen what a terminal would obey."""
    # a digest is a text
    return json.dumps(msgspec.to_builtins(line, enc_hook=str))


def say(line: Line) -> None:
    """Write it to stderr, at once and in one piece: another thread may be about to log."""
    # who does not listen any more must not stop the work
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{render_line(line)}\n")
        sys.stderr.flush()


class EventLines:
    """Tells an operation's events; how far a layer is, at most ten times a second."""

    def __init__(
        self, tell: Callable[[Line], None] = say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._last = clock()
        self._totals: dict[str, int] = {}
        self._received: dict[str, int] = {}

    def tell(self, event: Event) -> None:
        match event:
            case Step(text):
                self._tell(StepLine(text))
            case Warned(text):
                self._tell(WarningLine(text))
            case BlobPresent(digest):
                self._tell(LayerPresent(digest))
            case BlobStarted(digest, size):
                self._totals[digest], self._received[digest] = size, 0
                self._tell(LayerStarted(digest, size))
            case BlobProgressed(digest, received):
                self._received[digest] += received
                self._tell_progress(digest)
            case BlobFinished(digest):
                self._tell(LayerFinished(digest, self._received[digest], self._totals[digest]))
            case _:
                assert_never(event)

    def _tell_progress(self, digest: str) -> None:
        now = self._clock()
        if now - self._last >= _SECONDS_BETWEEN:
            self._last = now
            self._tell(LayerProgress(digest, self._received[digest], self._totals[digest]))


class LogFormatter(logging.Formatter):
    """What is logged, as such lines; a traceback is a part of the text."""

    def format(self, record: logging.LogRecord) -> str:
        return render_line(LogLine(record.levelname.lower(), super().format(record)))
