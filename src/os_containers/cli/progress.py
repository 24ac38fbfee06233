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

# Each time takes a millisecond or two of processor time, which the pull could use.
_DRAWN_PER_SECOND = 2
_SHORT = len("sha256:") + 12


@contextlib.contextmanager
def reporter() -> Iterator[OnEvent]:
    """Yield the listener for an operation's events."""
    if voice.chosen() is not voice.Form.AUTO or not _has_room_for_bars():
        yield _without_bars(voice.chosen())
        return
    bars = Bars()
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


class Bars:
    """A bar for each blob that is on its way; what came whole and other events are lines above the bars."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._started: dict[str, BlobStarted] = {}
        self._tasks: dict[str, TaskID] = {}

    def tell(self, event: Event) -> None:
        match event:
            case BlobStarted():
                self._start(event)
            case BlobProgressed(digest, received):
                self.shown.advance(self._tasks[digest], received)
            case BlobFinished(digest):
                self._end(self._started.pop(digest))
            case _ if self._progress:
                self._print(_text(event))
            case _:
                _tell_plainly(event)

    def _start(self, blob: BlobStarted) -> None:
        if blob.digest in self._started:
            # once more, since that failed
            self.shown.remove_task(self._tasks[blob.digest])
        self._started[blob.digest] = blob
        self._tasks[blob.digest] = self.shown.add_task(_short(blob), total=blob.size)

    def _end(self, blob: BlobStarted) -> None:
        # drawing a bar takes a quarter of a millisecond, and there are images of a hundred layers
        self.shown.remove_task(self._tasks.pop(blob.digest))
        self.shown.refresh()
        self._print(f"Copied {_short(blob)}  {human_size(blob.size)}")

    def _print(self, text: str) -> None:
        self.shown.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None

    @property
    def shown(self) -> "Progress":
        """The bars on the terminal, from the first time on that there is one."""
        if self._progress is None:
            self._progress = _new_bars()
            self._progress.start()
        return self._progress


def _short(blob: BlobStarted) -> str:
    return f"{blob.kind} {blob.digest[:_SHORT]}"


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
    from rich.table import Column  # noqa: PLC0415

    return Progress(
        TextColumn("Copying {task.description}"),
        # what the words leave of the line
        BarColumn(bar_width=None),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        expand=True,
        refresh_per_second=_DRAWN_PER_SECOND,
    )
