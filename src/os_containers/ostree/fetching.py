"""Fetching the layers of an image: several at once, told as events, stopped together when one fails."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from os_containers.events import BlobFinished, BlobProgressed, BlobStarted, Event, OnEvent, Warned
from os_containers.image.layer import BlobSource, open_layer
from os_containers.image.limits import Limits
from os_containers.image.manifest import Digest, Layer
from os_containers.image.tar import TarReader
from os_containers.ostree.layer_import import StagedLayer, stage_layer
from os_containers.ostree.stage import Stage

PARALLEL_LAYERS = 2

_SECONDS_BETWEEN_EVENTS = 0.05


def fetch_layers(
    stage: Stage, source: BlobSource, layers: Sequence[Layer], limits: Limits, on_event: OnEvent
) -> dict[Digest, StagedLayer]:
    """Fetch layers into a stage and return them; each is verified."""
    fetcher = _Fetcher(stage, source, limits, _one_at_a_time(on_event))
    with ThreadPoolExecutor(PARALLEL_LAYERS, thread_name_prefix="layer") as pool:
        fetches = {layer.digest: pool.submit(fetcher.fetch, layer) for layer in layers}
        try:
            _raise_first_failure(wait(fetches.values(), return_when=FIRST_EXCEPTION).done)
        except BaseException:
            fetcher.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {digest: fetch.result() for digest, fetch in fetches.items()}


class _StoppedError(Exception):
    """Another layer failed, or the user has had enough."""


class _Fetcher:
    """Fetches one layer per thread."""

    def __init__(self, stage: Stage, source: BlobSource, limits: Limits, on_event: OnEvent) -> None:
        self.stopped = threading.Event()
        self._stage = stage
        self._source = source
        self._limits = limits
        self._on_event = on_event

    def fetch(self, layer: Layer) -> StagedLayer:
        self._on_event(BlobStarted(layer.digest, layer.size, "layer"))
        progress = _Progress(layer.digest, self._on_event, self.stopped)
        with open_layer(self._source, layer, self._limits, progress.received) as stream:
            staged = stage_layer(self._stage, TarReader(stream, self._limits))
        progress.tell()
        for warning in staged.warnings():
            self._on_event(Warned(f"layer {layer.digest}: {warning}"))
        self._on_event(BlobFinished(layer.digest))
        return staged


class _Progress:
    """Tells how much of a layer has arrived, a few times per second."""

    def __init__(self, digest: Digest, on_event: OnEvent, stopped: threading.Event) -> None:
        self._digest = digest
        self._on_event = on_event
        self._stopped = stopped
        self._untold = 0
        self._last = time.monotonic()

    def received(self, more: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._untold += more
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_EVENTS:
            self.tell()

    def tell(self) -> None:
        if self._untold:
            self._on_event(BlobProgressed(self._digest, self._untold))
        self._untold = 0
        self._last = time.monotonic()


def _raise_first_failure(done: set[Future[StagedLayer]]) -> None:
    for fetch in done:
        failure = fetch.exception()
        if failure is not None:
            raise failure


def _one_at_a_time(on_event: OnEvent) -> OnEvent:
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            on_event(event)

    return tell
