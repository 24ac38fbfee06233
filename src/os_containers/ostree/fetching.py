"""Fetching the layers of an image, told as events.

One after the other: two at once were not faster (10,000 files, two cores), since each file takes the
interpreter's lock several times; and the image proxy downloads in a process of its own.
"""

import time
from collections.abc import Sequence

from os_containers.events import BlobFinished, BlobProgressed, BlobStarted, OnEvent, Warned
from os_containers.image.layer import BlobSource, open_layer
from os_containers.image.limits import Limits
from os_containers.image.manifest import Digest, Layer
from os_containers.image.tar import TarReader
from os_containers.ostree.layer_import import StagedLayer, stage_layer
from os_containers.ostree.stage import Stage

_SECONDS_BETWEEN_EVENTS = 0.05


def fetch_layers(
    stage: Stage, source: BlobSource, layers: Sequence[Layer], limits: Limits, on_event: OnEvent
) -> dict[Digest, StagedLayer]:
    """Fetch layers into a stage and return them; each is verified."""
    return {layer.digest: _fetch_layer(stage, source, layer, limits, on_event) for layer in layers}


def _fetch_layer(
    stage: Stage, source: BlobSource, layer: Layer, limits: Limits, on_event: OnEvent
) -> StagedLayer:
    on_event(BlobStarted(layer.digest, layer.size, "layer"))
    progress = _Progress(layer.digest, on_event)
    with open_layer(source, layer, limits, progress.received) as stream:
        staged = stage_layer(stage, TarReader(stream, limits))
    progress.tell()
    for warning in staged.warnings():
        on_event(Warned(f"layer {layer.digest}: {warning}"))
    on_event(BlobFinished(layer.digest))
    return staged


class _Progress:
    """Tells how much of a layer has arrived, a few times per second."""

    def __init__(self, digest: Digest, on_event: OnEvent) -> None:
        self._digest = digest
        self._on_event = on_event
        self._untold = 0
        self._last = time.monotonic()

    def received(self, more: int) -> None:
        self._untold += more
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_EVENTS:
            self.tell()

    def tell(self) -> None:
        if self._untold:
            self._on_event(BlobProgressed(self._digest, self._untold))
        self._untold = 0
        self._last = time.monotonic()
