"""A layer as a stream of tar bytes that was verified twice, as a blob and as a tar."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, Protocol

from os_containers.errors import ImageError, LimitError
from os_containers.image.ahead import taken_ahead
from os_containers.image.compression import CHUNK, SNIFFED, decompress, sniff
from os_containers.image.limits import Limits
from os_containers.image.manifest import LAYER_COMPRESSIONS, Digest, Layer


class BlobSource(Protocol):
    """Where blobs come from: a registry, or a fake in tests."""

    def blob(self, digest: Digest, size: int) -> AbstractContextManager[BinaryIO]: ...


class LayerStream:
    """The decompressed tar of a layer."""

    def __init__(self, pieces: Iterator[bytes], blob: "_Blob", on_received: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._blob = blob
        self._on_received = on_received
        self._told = 0
        self._piece = b""

    def read(self, n: int = CHUNK, /) -> bytes:
        """Return at most n bytes, nothing at the end."""
        piece = self._piece or self._next_piece()
        self._piece = piece[n:]
        return piece[:n]

    def _next_piece(self) -> bytes:
        for piece in self._pieces:
            self._tell()
            if piece:
                return piece
        self._tell()
        return b""

    def _tell(self) -> None:
        received = self._blob.received
        if received > self._told:
            self._on_received(received - self._told)
            self._told = received


@contextmanager
def open_layer(
    source: BlobSource, layer: Layer, limits: Limits, on_received: Callable[[int], None]
) -> Iterator[LayerStream]:
    """Open the tar of a layer; only when the `with` ends without an exception is it verified.

    Raises ImageError then or while reading. on_received is called while reading,
    with the number of compressed bytes that have arrived since the last call.
    """
    with source.blob(layer.digest, layer.size) as file:
        blob = _Blob(file, layer)
        with taken_ahead(_verified(blob, layer, limits), stop=file.close) as pieces:
            yield LayerStream(pieces, blob, on_received)
            for _ in pieces:
                pass  # what is left counts for the digests, too


class _Blob:
    """The compressed bytes: counted and hashed, never more than the manifest declares."""

    def __init__(self, file: BinaryIO, layer: Layer) -> None:
        self.received = 0
        self._file = file
        self._layer = layer
        self._hash = hashlib.sha256()
        self._start = b""

    def sniff(self) -> str:
        while len(self._start) < SNIFFED and (piece := self._receive(SNIFFED - len(self._start))):
            self._start += piece
        return sniff(self._start)

    def read(self, n: int, /) -> bytes:
        start, self._start = self._start, b""
        return start or self._receive(n)

    def verify(self) -> None:
        if self.received != self._layer.size:
            raise ImageError(
                f"layer {self._layer.digest} is truncated: {self.received} of {self._layer.size} bytes"
            )
        if self._hash.hexdigest() != self._layer.digest.hex:
            raise ImageError(f"layer {self._layer.digest} is corrupt: its content has a different digest")

    def _receive(self, n: int) -> bytes:
        piece = self._file.read(n)
        self.received += len(piece)
        if self.received > self._layer.size:
            raise ImageError(f"layer {self._layer.digest} is larger than {self._layer.size} bytes")
        self._hash.update(piece)
        return piece


def _verified(blob: _Blob, layer: Layer, limits: Limits) -> Iterator[bytes]:
    """Yield the tar of a layer; ends only when all that was promised about it holds."""
    compression = blob.sniff()
    _check_label(layer, compression)
    diff = hashlib.sha256()
    size = 0
    for piece in decompress(blob, compression):
        diff.update(piece)
        size += len(piece)
        _check_growth(layer, limits, size, blob.received)
        yield piece
    blob.verify()
    if diff.hexdigest() != layer.diff_id.hex:
        raise ImageError(f"layer {layer.digest} does not unpack to {layer.diff_id}")


def _check_label(layer: Layer, found: str) -> None:
    declared = LAYER_COMPRESSIONS[layer.media_type]
    # skopeo serves the layers of docker-archive: plain, under the media type for gzip.
    plain = found == "none" and layer.digest == layer.diff_id
    if found != declared and not plain:
        raise ImageError(
            f"layer {layer.digest} is declared as {layer.media_type}, but its compression is {found}"
        )


def _check_growth(layer: Layer, limits: Limits, size: int, received: int) -> None:
    if size > limits.layer_size:
        raise LimitError(
            f"layer {layer.digest} unpacks to more than {limits.layer_size} bytes", limit="layer-size"
        )
    if size > limits.ratio_from and size > limits.ratio * received:
        raise LimitError(
            f"layer {layer.digest} unpacks to more than {limits.ratio} times its size", limit="ratio"
        )
