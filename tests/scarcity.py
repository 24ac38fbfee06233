"""A host that runs out of something: descriptors for everybody, disks for root only."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096


@contextlib.contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let no more than so many files be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    numbers = range(len(list(Path("/proc/self/fd").iterdir())) + count + 1)
    free = [number for number in numbers if not os.path.lexists(f"/proc/self/fd/{number}")]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[count], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@dataclass(frozen=True)
class Disk:
    """A small file system at a directory."""

    path: Path

    @contextlib.contextmanager
    def space_left(self, size: int) -> Iterator[None]:
        """Let so many bytes be free."""
        ballast = self.path / "ballast"
        status = os.statvfs(self.path)
        with ballast.open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - size)
        try:
            yield
        finally:
            ballast.unlink()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        _mount("-o", "remount,ro", self.path)
        try:
            yield
        finally:
            _mount("-o", "remount,rw", self.path)


@contextlib.contextmanager
def small_disk(directory: Path, size: str = "16m") -> Iterator[Disk]:
    """Mount a disk of a size at a directory."""
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
    try:
        yield Disk(directory)
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextlib.contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Let a file open, and each read of it answer EIO, as nobody's memory at address 0 does."""
    _mount("--bind", f"/proc/{os.getpid()}/mem", file)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", file], check=True)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True)
