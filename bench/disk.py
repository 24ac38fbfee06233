"""A fresh file system for every measured run: one that was used before steps over what was deleted.

CACHE/bench/disk.img        mounted by a loop device; its blocks stay allocated from run to run
CACHE/bench/NAME.img        a prepared one, of which each run gets a copy
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from testhost.commands import run
from testhost.storage import cache_directory

SIZE = "8G"
# All of it now: otherwise the kernel goes on formatting while a contestant runs.
_FORMAT = (
    "mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted file system."""

    directory: Path

    def used(self) -> int:
        """Return how many bytes are taken, all that was written included."""
        run(["sync", "--file-system", self.directory])
        found = os.statvfs(self.directory)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextlib.contextmanager
def fresh_disk() -> Iterator[Disk]:
    """Give an empty file system, with nothing of it in memory; nothing is left to be written."""
    image = bench_directory() / "disk.img"
    if not image.exists():
        run(["truncate", f"--size={SIZE}", image])
    run([*_FORMAT, image])
    run(["sync"])
    _forget(image)
    with _mounted(image) as disk:
        yield disk


@contextlib.contextmanager
def copied_disk(template: Path) -> Iterator[Disk]:
    """Give a copy of a prepared file system; its blocks are in memory, as they are after a pull."""
    image = bench_directory() / "copy.img"
    run(["cp", "--sparse=always", template, image])
    run(["sync"])
    with _mounted(image) as disk:
        yield disk
    image.unlink()


@contextlib.contextmanager
def prepared_disk(name: str, prepare: Callable[[Disk], None]) -> Iterator[Path]:
    """Give the image of a file system that was prepared, for copied_disk."""
    image = bench_directory() / f"{name}.img"
    image.unlink(missing_ok=True)
    try:
        run(["truncate", f"--size={SIZE}", image])
        run([*_FORMAT, image])
        with _mounted(image) as disk:
            prepare(disk)
        yield image
    finally:
        image.unlink(missing_ok=True)


@contextlib.contextmanager
def _mounted(image: Path) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="os-containers-bench-") as directory:
        run(["mount", "-o", "loop", image, directory])
        try:
            yield Disk(Path(directory))
        finally:
            run(["umount", "--recursive", directory])


def _forget(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def bench_directory() -> Path:
    """Return where disks and the like are kept between runs."""
    directory = cache_directory() / "bench"
    directory.mkdir(exist_ok=True)
    return directory
