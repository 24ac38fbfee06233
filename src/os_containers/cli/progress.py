"""What an operation tells, as it was chosen: bars on a terminal, a line per blob otherwise; all on stderr."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from os_containers.cli import voice
from os_containers.cli.plain import plain
from os_containers.cli.render import human_size
from os_containers.events import (
    BlobFinished,
    BlobPresent,
    BlobProgressed,
    BlobStarted,
    Event,
    OnEvent,
    Step,
    Warned,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Each time takes a millisecond of processor time, which the pull could use.
_DRAWN_PER_SECOND = 4
_SHORT = len("sha256:") + 12


@contextlib.contextmanager
def reporter() -> Iterator[OnEvent]:
    """Yield the listener for an operation's events."""
    if voice.chosen() is not voice.Form.AUTO or not _has_room_for_bars():
        yield _without_bars(voice.chosen())
        return
    bars = _Bars()
    try:
        yield bars.tell
    finally:
        bars.stop()


def _without_bars(form: voice.Form) -> OnEvent:
    match form:
        case voice.Form.JSON:
            from os_containers.cli.json_lines import EventLines  # noqa: PLC0415 - only for programs

            return EventLines().tell
        case voice.Form.NONE:
            return _tell_warnings
        case voice.Form.AUTO | voice.Form.PLAIN:
            return _tell_plainly
        case _:
            assert_never(form)


def _has_room_for_bars() -> bool:
    """Tell whether stderr is a terminal that can go back a line, and nobody else writes there."""
    is_told_programs = logging.getLogger("os_containers.process").isEnabledFor(logging.DEBUG)
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not is_told_programs


def _tell_plainly(event: Event) -> None:
    text = _text(event)
    # who does not listen any more must not stop the work
    with contextlib.suppress(OSError):
        if text:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the voice of the program


def _tell_warnings(event: Event) -> None:
    if isinstance(event, Warned):
        _tell_plainly(event)


def _text(event: Event) -> str:
    """Return the line that tells an event, nothing for one that only moves a bar."""
    match event:
        case Step(text):
            return plain(text)
        case Warned(text):
            return f"warning: {plain(text)}"
        case BlobStarted(digest, size, kind):
            return f"Copying {kind} {digest}  {human_size(size)}"
        case BlobPresent(digest, kind):
            return f"Present {kind} {digest}"
        case BlobProgressed() | BlobFinished():
            return ""
        case _:
            assert_never(event)


class _Bars:
    """A bar for each blob that is on its way; other events are lines above the bars."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def tell(self, event: Event) -> None:
        match event:
            case BlobStarted(digest, size, kind):
                self._tasks[digest] = self._shown().add_task(f"{kind} {digest[:_SHORT]}", total=size)
            case BlobProgressed(digest, received):
                self._shown().advance(self._tasks[digest], received)
            case BlobFinished(digest):
                task = self._tasks[digest]
                self._shown().update(task, completed=self._shown().tasks[task].total)
            case _ if self._progress:
                self._progress.console.print(_text(event), markup=False, highlight=False, soft_wrap=True)
            case _:
                _tell_plainly(event)

    def stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _shown(self) -> "Progress":
        if self._progress is None:
            self._progress = _new_bars()
            self._progress.start()
        return self._progress


def _new_bars() -> "Progress":
    # rich takes longer to import than most commands take to run
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("Copying {task.description}"),
        # what the words leave of the line
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        expand=True,
        refresh_per_second=_DRAWN_PER_SECOND,
    )
