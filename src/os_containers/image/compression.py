"""From a compressed stream to a plain one, in bounded pieces."""

import io
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import zstandard

from os_containers.errors import ImageError
from os_containers.image.limits import MiB

try:
    from isal.igzip_lib import IsalError as GzipError
    from isal.isal_zlib import decompressobj
except ImportError:
    # Debian 12 has no isal: there zlib does the same work in three times the time.
    from zlib import decompressobj  # type: ignore[assignment]
    from zlib import error as GzipError  # type: ignore[assignment]  # noqa: N812 - one name for both

CHUNK = MiB
SNIFFED = 4

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_GZIP_WRAPPER = 31  # zlib's wbits for "a gzip header and trailer around the largest window"


class ByteStream(Protocol):
    def read(self, n: int, /) -> bytes: ...


class _GzipMember(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def sniff(start: bytes) -> str:
    """Return which compression the first bytes of a stream show: gzip, zstd or none."""
    if start.startswith(_GZIP_MAGIC):
        return "gzip"
    if start.startswith(_ZSTD_MAGIC) or start[1:SNIFFED] == _ZSTD_SKIPPABLE:
        return "zstd"
    return "none"


def decompress(compressed: ByteStream, compression: str) -> Iterator[bytes]:
    """Yield the plain bytes; raises ImageError for a damaged stream, and for junk behind a compressed one.

    Only with gzip does it notice that a stream is truncated: elsewhere it takes the digests to tell.
    """
    if compression == "gzip":
        return _gunzip(compressed)
    if compression == "zstd":
        return _unzstd(compressed)
    return iter(lambda: compressed.read(CHUNK), b"")


class PlainStream:
    """The plain bytes of a file, whatever its compression."""

    def __init__(self, file: BinaryIO) -> None:
        compression = sniff(file.read(SNIFFED))
        file.seek(0)
        self._pieces = decompress(file, compression)
        self._piece = b""

    def read(self, n: int, /) -> bytes:
        while not self._piece and (piece := next(self._pieces, None)) is not None:
            self._piece = piece
        piece, self._piece = self._piece[:n], self._piece[n:]
        return piece


def _gunzip(compressed: ByteStream) -> Iterator[bytes]:
    pending = compressed.read(CHUNK)
    while pending:
        if not pending.strip(b"\0"):
            _expect_zeros(compressed)
            return
        member = decompressobj(_GZIP_WRAPPER)
        while not member.eof:
            piece = _inflate(member, pending)
            if not piece and not pending and not member.eof:
                raise ImageError("the gzip stream is truncated")
            if piece:  # an empty one would read as the end
                yield piece
            pending = member.unused_data or member.unconsumed_tail or compressed.read(CHUNK)


def _inflate(member: _GzipMember, data: bytes) -> bytes:
    try:
        return member.decompress(data, CHUNK)
    except GzipError as error:  # type: ignore[misc]  # isal types its class as an instance
        raise ImageError(f"the gzip stream is damaged: {error}") from error


def _expect_zeros(compressed: ByteStream) -> None:
    while piece := compressed.read(CHUNK):
        if piece.strip(b"\0"):
            raise ImageError("there is junk after the gzip stream")


def _unzstd(compressed: ByteStream) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor().stream_reader(
        _Reader(compressed), read_size=CHUNK, read_across_frames=True
    )
    try:
        while piece := reader.read(CHUNK):
            yield piece
    except zstandard.ZstdError as error:
        raise ImageError(f"the zstd stream is damaged: {error}") from error


class _Reader(io.BytesIO):
    """The stream dressed as a file, which is what zstandard's types ask for."""

    def __init__(self, stream: ByteStream) -> None:
        super().__init__()
        self._stream = stream

    def read(self, n: int | None = -1, /) -> bytes:
        return self._stream.read(n or CHUNK)
