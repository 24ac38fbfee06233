"""Fetching a layer, told as events."""

import time

from os_containers.events import BlobProgressed, BlobStarted, OnEvent, Warned
from os_containers.image.layer import BlobSource, open_layer
from os_containers.image.limits import Limits
from os_containers.image.manifest import Digest, Layer
from os_containers.image.tar import TarReader
from os_containers.ostree.free_space import FreeSpace
from os_containers.ostree.layer_import import StagedLayer, stage_layer
from os_containers.ostree.object_stage import ObjectStage

_SECONDS_BETWEEN_EVENTS = 0.05


def fetch_layer(
    objects: ObjectStage,
    source: BlobSource,
    layer: Layer,
    *,
    limits: Limits,
    space: FreeSpace,
    on_event: OnEvent,
) -> StagedLayer:
    """Fetch a layer into a stage and return it, verified."""
    on_event(BlobStarted(layer.digest, layer.size, "layer"))
    progress = _Progress(layer.digest, on_event)
    with open_layer(source, layer, limits, progress.received) as stream:
        watched = space.watched(stream, f"layer {layer.digest}")
        staged = stage_layer(objects, TarReader(watched, limits))
    progress.tell()
    for warning in staged.warnings():
        on_event(Warned(f"layer {layer.digest}: {warning}"))
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
