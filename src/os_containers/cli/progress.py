"""What an operation tells, for people: bars on a terminal, a line per blob otherwise; all on stderr."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

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

_SHORT = len("sha256:") + 12


@contextlib.contextmanager
def reporter() -> Iterator[OnEvent]:
    """Yield the listener for an operation's events."""
    if not sys.stderr.isatty():
        yield _tell_plainly
        return
    bars = _Bars()
    try:
        yield bars.tell
    finally:
        bars.stop()


def _tell_plainly(event: Event) -> None:
    match event:
        case Step(text):
            _line(text)
        case Warned(text):
            _line(f"warning: {text}")
        case BlobStarted(digest, size, kind):
            _line(f"Copying {kind} {digest}  {human_size(size)}")
        case BlobPresent(digest, kind):
            _line(f"Present {kind} {digest}")
        case BlobProgressed() | BlobFinished():
            pass
        case _:
            assert_never(event)


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the voice of the program


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
                self._finish(digest)
            case _ if self._progress:
                with self._progress.external():  # type: ignore[attr-defined]
                    _tell_plainly(event)
            case _:
                _tell_plainly(event)

    def stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _finish(self, digest: str) -> None:
        task = self._tasks[digest]
        bar = self._shown()
        bar.update(task, completed=bar.tasks[task].total)
        if bar.finished:
            self.stop()

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
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
