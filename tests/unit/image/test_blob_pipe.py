"""A blob as it comes through a pipe."""

import os
from collections.abc import Iterator

import pytest
from scarcity import descriptors_left

from os_containers.image.blob_pipe import BlobPipe


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(write_end)


@pytest.mark.parametrize("piece", [1, 7, 1 << 20, -1])
def test_b4_no_byte_behind_the_size_is_read(pipe: tuple[int, int], piece: int) -> None:
    """What a registry sends beyond it stays in the pipe, and whoever writes it finds the pipe closed."""
    read_end, write_end = pipe
    os.write(write_end, b"x" * 10 + b"evil")
    kept = os.dup(read_end)
    with BlobPipe(
        read_end, 10, image="app", stalled_after=5, on_silence=lambda: None, on_early_end=lambda: None
    ) as blob:
        assert b"".join(iter(lambda: blob.read(piece), b"")) == b"x" * 10
    assert os.read(kept, 100) == b"evil"
    os.close(kept)
    with pytest.raises(BrokenPipeError):
        os.write(write_end, b"more")


def test_b82_a_pipe_that_cannot_be_watched_is_closed(pipe: tuple[int, int]) -> None:
    """There is no descriptor left; nothing is said on stderr when what was half made goes."""
    read_end, write_end = pipe
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files"):
        BlobPipe(
            read_end, 10, image="app", stalled_after=5, on_silence=lambda: None, on_early_end=lambda: None
        )
    with pytest.raises(BrokenPipeError):
        os.write(write_end, b"more")
