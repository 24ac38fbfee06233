"""A layer is verified as a blob and as a tar, and bounded while it streams."""

import gzip
from dataclasses import replace

import pytest
from images import FakeSource, build_layer, one_layer

from os_containers.errors import ImageError
from os_containers.image.layer import open_layer
from os_containers.image.limits import Limits, MiB
from os_containers.image.manifest import Digest, Layer

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
TAR = build_layer({"/usr/bin/hello": "hello", "/large": bytes(3 * MiB)})


def read(source: FakeSource, layer: Layer, limits: Limits = Limits()) -> bytes:  # noqa: B008 - frozen
    with open_layer(source, layer, limits, lambda _: None) as stream:
        return b"".join(iter(lambda: stream.read(100_000), b""))


def gzip_layer(blob: bytes, tar: bytes) -> tuple[FakeSource, Layer]:
    layer = Layer(Digest.of(blob), len(blob), GZIP, Digest.of(tar))
    return FakeSource({layer.digest: blob}), layer


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_a_layer_is_decompressed(compression: str) -> None:
    """The tar arrives whole, in pieces no larger than asked for."""
    assert read(*one_layer(TAR, compression)) == TAR


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_progress_adds_up_to_the_size(compression: str) -> None:
    """on_received is told each compressed byte once."""
    source, layer = one_layer(TAR, compression)
    received: list[int] = []
    with open_layer(source, layer, Limits(), received.append) as stream:
        while stream.read():
            pass
    assert sum(received) == layer.size


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_b4_what_was_not_read_is_verified_as_well(compression: str) -> None:
    """A reader who stops early learns of damage behind that point when the `with` ends."""
    source, layer = one_layer(TAR, compression)
    damaged = bytearray(source.blobs[layer.digest])
    damaged[-1] ^= 1
    with (
        pytest.raises(ImageError, match=r"corrupt|damaged"),
        open_layer(FakeSource({layer.digest: bytes(damaged)}), layer, Limits(), lambda _: None) as stream,
    ):
        assert stream.read(4) == TAR[:4]


def test_an_exception_of_the_reader_passes_unchanged() -> None:
    """Verification does not hide what went wrong first."""
    source, layer = one_layer(TAR)
    with pytest.raises(KeyError), open_layer(source, layer, Limits(), lambda _: None):
        raise KeyError


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_b4_a_truncated_blob_is_refused(compression: str) -> None:
    """Fewer bytes than declared are not a layer."""
    source, layer = one_layer(TAR, compression)
    with pytest.raises(ImageError, match="truncated"):
        read(FakeSource({layer.digest: source.blobs[layer.digest][:-1]}), layer)


def test_b4_no_more_than_the_declared_size_is_taken() -> None:
    """The byte behind the declared size ends the transfer."""
    source, layer = one_layer(TAR, "none")
    with pytest.raises(ImageError, match=f"larger than {len(TAR) - 1} bytes"):
        read(source, replace(layer, size=layer.size - 1))


def test_b4_another_digest_is_refused() -> None:
    """The right tar in a blob that is not the one asked for is not accepted."""
    source, layer = one_layer(TAR)
    wrong = replace(layer, digest=Digest.of(b""))
    with pytest.raises(ImageError, match="a different digest"):
        read(FakeSource({wrong.digest: source.blobs[layer.digest]}), wrong)


def test_b6_another_diff_id_is_refused() -> None:
    """The tar must be the one that the image config names."""
    source, layer = one_layer(TAR)
    with pytest.raises(ImageError, match="does not unpack to"):
        read(source, replace(layer, diff_id=Digest.of(b"")))


@pytest.mark.parametrize(
    ("compression", "media_type"), [("none", GZIP), ("zstd", GZIP), ("gzip", ZSTD), ("gzip", GZIP[:-5])]
)
def test_b11_a_mislabelled_compression_is_refused(compression: str, media_type: str) -> None:
    """What the bytes are must be what the manifest says."""
    source, layer = one_layer(TAR, compression)
    mislabelled = replace(layer, media_type=media_type, diff_id=Digest.of(b"x"))
    with pytest.raises(ImageError, match="is declared as"):
        read(source, mislabelled)


def test_docker_archives_serve_plain_layers_as_gzip() -> None:
    """Where digest and diff_id agree, the layer is plain, whatever its label."""
    source, layer = one_layer(TAR, "none")
    assert read(source, replace(layer, media_type=GZIP)) == TAR


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_b13_a_bomb_stops_at_the_ratio(compression: str) -> None:
    """A layer may unpack to ratio times what has arrived, once it is larger than ratio_from."""
    source, layer = one_layer(bytes(8 * MiB), compression)
    fits = -(-8 * MiB // layer.size)
    # zstd and gzip need their whole input for the last piece only, so the limit is met at the end
    assert len(read(source, layer, Limits(ratio=fits, ratio_from=8 * MiB - 1))) == 8 * MiB
    with pytest.raises(ImageError, match="times its size"):
        read(source, layer, Limits(ratio=fits - 1, ratio_from=8 * MiB - 1))
    assert len(read(source, layer, Limits(ratio=1, ratio_from=8 * MiB))) == 8 * MiB


def test_b13_the_ratio_counts_from_64_mib() -> None:
    """So many zeros are a layer, however few bytes they come in; one more must have come in more."""
    source, layer = one_layer(bytes(64 * MiB), "zstd")
    assert len(read(source, layer)) == 64 * MiB > 2000 * layer.size
    with pytest.raises(ImageError, match="more than 2000 times its size"):
        read(*one_layer(bytes(64 * MiB + 1), "zstd"))


def test_b13_a_layer_has_a_largest_size() -> None:
    """The limit itself is allowed."""
    source, layer = one_layer(TAR)
    assert read(source, layer, Limits(layer_size=len(TAR))) == TAR
    with pytest.raises(ImageError, match="unpacks to more than"):
        read(source, layer, Limits(layer_size=len(TAR) - 1))


@pytest.mark.parametrize("tail", [b"", bytes(1), bytes(3 * MiB)])
def test_b14_gzip_members_and_trailing_zeros_are_read(tail: bytes) -> None:
    """Pigz and estargz write several members; tapes leave zeros."""
    blob = gzip.compress(TAR[:1000]) + gzip.compress(b"") + gzip.compress(TAR[1000:]) + tail
    assert read(*gzip_layer(blob, TAR)) == TAR


@pytest.mark.parametrize(
    "tail", [b"junk", bytes(100) + b"junk", bytes(2 * MiB) + b"j", gzip.compress(TAR)[:-1]]
)
def test_b14_junk_behind_the_gzip_stream_is_refused(tail: bytes) -> None:
    """Bytes that no reader agrees about are not hidden in a layer, even when all digests are right."""
    with pytest.raises(ImageError, match="gzip stream"):
        read(*gzip_layer(gzip.compress(TAR) + tail, TAR))


@pytest.mark.parametrize("tail", [b"junk", bytes(100)])
def test_b14_junk_behind_the_zstd_stream_is_refused(tail: bytes) -> None:
    """Zeros are no padding here."""
    source, layer = one_layer(TAR, "zstd")
    blob = source.blobs[layer.digest] + tail
    with pytest.raises(ImageError, match="zstd stream"):
        read(FakeSource({Digest.of(blob): blob}), replace(layer, digest=Digest.of(blob), size=len(blob)))


def test_zstd_frames_that_are_to_be_skipped_are_skipped() -> None:
    """zstd:chunked keeps its table of contents in such frames, also in front."""
    source, layer = one_layer(TAR, "zstd")
    frame = b"\x50\x2a\x4d\x18\x04\0\0\0toc!"
    blob = frame + source.blobs[layer.digest] + frame
    chunked = replace(layer, digest=Digest.of(blob), size=len(blob))
    assert read(FakeSource({chunked.digest: blob}), chunked) == TAR


@pytest.mark.parametrize(("blob", "tar"), [(b"", b""), (gzip.compress(b"", mtime=0), b"")])
def test_b15_an_empty_layer_is_a_layer(blob: bytes, tar: bytes) -> None:
    """No bytes at all, and a gzip stream of none."""
    assert read(*gzip_layer(blob, tar)) == b""


@pytest.mark.parametrize("size", [MiB - 1, MiB, MiB + 1, 2 * MiB])
def test_gzip_streams_may_end_at_the_edge_of_a_piece(size: int) -> None:
    """The last output of a member may be due after all its input was taken."""
    assert read(*one_layer(bytes(size))) == bytes(size)
