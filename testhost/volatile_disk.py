"""A disk with a write cache that loses power: what was not flushed may be gone, in any order.

Killing an emulator alone proves little, for all that its guest ever wrote is in this machine's page cache by
then. This disk remembers what each write has replaced until the guest flushes.
"""

import os
import random
import threading
from dataclasses import dataclass
from pathlib import Path

# A write of several blocks may be torn between them.
BLOCK = 4096


class PowerLostError(Exception):
    """The disk has no power: it neither does nor answers anything."""


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    before: bytes
    after: bytes


class VolatileDisk:
    """An image file as a disk; power is cut at a given step, a write or a flush, or at once."""

    def __init__(self, image: Path) -> None:
        self.size = image.stat().st_size
        self.steps = 0
        self.power_lost = threading.Event()
        self._cut_at: int | None = None
        self._unflushed: list[_Write] = []
        self._descriptor = os.open(image, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._descriptor)

    def cut_power(self) -> None:
        """Do nothing from now on."""
        self.power_lost.set()

    def cut_power_after(self, steps: int) -> None:
        """Cut the power when so many more writes and flushes are done."""
        self._cut_at = self.steps + steps

    def read(self, offset: int, length: int) -> bytes:
        if self.power_lost.is_set():
            raise PowerLostError
        return os.pread(self._descriptor, length, offset)

    def write(self, offset: int, data: bytes) -> None:
        self._step()
        before = os.pread(self._descriptor, len(data), offset)
        self._unflushed.append(_Write(offset, before, data))
        os.pwrite(self._descriptor, data, offset)

    def flush(self) -> None:
        self._step()
        self._unflushed.clear()

    def settle(self, dice: random.Random, *, kept: float) -> int:
        """Let each unflushed block be kept with a probability; return how many blocks were lost.

        To be called when nobody uses the disk any more.
        """
        for write in reversed(self._unflushed):
            os.pwrite(self._descriptor, write.before, write.offset)
        lost = 0
        for write in self._unflushed:
            for start in range(0, len(write.after), BLOCK):
                if dice.random() < kept:
                    os.pwrite(self._descriptor, write.after[start : start + BLOCK], write.offset + start)
                else:
                    lost += 1
        self._unflushed.clear()
        return lost

    def _step(self) -> None:
        if self._cut_at is not None and self.steps >= self._cut_at:
            self.cut_power()
        if self.power_lost.is_set():
            raise PowerLostError
        self.steps += 1
