"""A disk that loses power: what it may forget, and what it may not."""

import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from testhost.nbd import served
from testhost.volatile_disk import BLOCK, PowerLostError, VolatileDisk

OLD, NEW = b"o" * BLOCK, b"n" * BLOCK


def dice() -> random.Random:
    return random.Random(1)  # noqa: S311 - not for secrets


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "disk.img"
    image.write_bytes(OLD * 4)
    return image


@pytest.fixture
def disk(image: Path) -> Iterator[VolatileDisk]:
    disk = VolatileDisk(image)
    yield disk
    disk.close()


def test_what_was_written_is_read_before_it_is_flushed(disk: VolatileDisk) -> None:
    """A write is seen at once."""
    disk.write(BLOCK, NEW)
    assert disk.read(0, 3 * BLOCK) == OLD + NEW + OLD


def test_what_was_flushed_stays(disk: VolatileDisk, image: Path) -> None:
    """A power cut takes no flushed block, and with nothing kept every other one."""
    disk.write(0, NEW)
    disk.flush()
    disk.write(BLOCK, NEW + NEW)
    disk.write(2 * BLOCK, b"x" * BLOCK)
    disk.cut_power()
    assert disk.settle(dice(), kept=0) == 3
    assert image.read_bytes() == NEW + OLD * 3


def test_the_later_of_two_unflushed_writes_wins(disk: VolatileDisk, image: Path) -> None:
    """What is kept is kept in the order in which it was written."""
    disk.write(0, NEW)
    disk.write(0, b"x" * BLOCK)
    assert disk.settle(dice(), kept=1) == 0
    assert image.read_bytes() == b"x" * BLOCK + OLD * 3


def test_a_large_write_is_torn_between_its_blocks(disk: VolatileDisk, image: Path) -> None:
    """Each block of an unflushed write is lost or kept by itself."""
    disk.write(0, NEW * 4)
    assert 0 < disk.settle(dice(), kept=0.5) < 4
    assert {image.read_bytes()[start : start + BLOCK] for start in range(0, 4 * BLOCK, BLOCK)} == {OLD, NEW}


def test_nothing_happens_after_the_planned_step(disk: VolatileDisk, image: Path) -> None:
    """The power goes before the third write or flush; then nothing is written, flushed or read."""
    disk.cut_power_after(2)
    disk.write(0, NEW)
    disk.flush()
    with pytest.raises(PowerLostError):
        disk.write(BLOCK, NEW)
    with pytest.raises(PowerLostError):
        disk.read(0, BLOCK)
    disk.settle(dice(), kept=1)
    assert image.read_bytes() == NEW + OLD * 3


def test_it_is_read_written_and_flushed_over_nbd(disk: VolatileDisk, tmp_path: Path) -> None:
    """A client finds out the size, and its requests are carried out."""
    address = tmp_path / "socket"
    with (
        served(disk, address),
        socket.socket(socket.AF_UNIX) as client,
        client.makefile("rb") as answers,
    ):
        client.connect(str(address))
        assert answers.read(18)[:16] == b"NBDMAGICIHAVEOPT"
        client.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 7, 0))
        assert struct.unpack(">QIIIHQH", answers.read(32))[5:] == (4 * BLOCK, 5)
        answers.read(20)
        for kind, offset, length, data in ((1, BLOCK, BLOCK, NEW), (3, 0, 0, b""), (0, 0, 2 * BLOCK, b"")):
            client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, offset, length) + data)
            assert struct.unpack(">IIQ", answers.read(16)) == (0x67446698, 0, 7)
        assert answers.read(2 * BLOCK) == OLD + NEW
