"""strace: which system calls an operation makes, and a fault at one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torture.inside.command import Done, run
from torture.inside.snapshot import FACTORIES, ROOTS

LOG = Path("/run/torture.trace")
# Each is counted on its own. Before wait4 a program has been started and is still running.
CHANGING = (
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat",
    "symlink", "symlinkat", "fsync", "fdatasync", "syncfs", "execve", "clone", "clone3", "vfork", "wait4",
    "fchmod", "chmod", "fchmodat", "fchown", "lchown", "fchownat", "setxattr", "fsetxattr", "ftruncate",
)  # fmt: skip
WRITING = ("openat", "write", "pwrite64")
_PLACES = (
    "/var/lib/containers", "/etc/systemd", "/etc/tmpfiles.d", "/etc/torture", "/etc/service",
    str(FACTORIES), str(ROOTS),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th call of one system call by the main thread."""

    call: str
    number: int
    line: str = field(default="", compare=False)

    @property
    def writes(self) -> bool:
        """Tell whether the call can change something on disk, or comes before a program."""
        return self.call != "openat" or "O_CREAT" in self.line or "O_TRUNC" in self.line

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def with_fault(point: Point, fault: str, words: Sequence[str]) -> list[str]:
    """Return the command line that runs os-containers with a fault, as strace writes one, at a point."""
    inject = f"inject={point.call}:{fault}:when={point.number}"
    # where it cannot vfork, Python tries to fork
    second = ["-e", f"inject=clone:{fault}"] if point.call == "vfork" and fault.startswith("error") else []
    calls = f"{point.call},clone" if second else point.call
    return [
        "strace", f"--output={LOG}", "--decode-fds=path", f"--trace={calls}", "-e", inject, *second,
        *_ours(words),
    ]  # fmt: skip


def last_line() -> str:
    """Return the call at which the fault was."""
    lines = LOG.read_text(errors="replace").splitlines()
    found = [line for line in lines if "INJECTED" in line or line.endswith("= ?")]
    return found[-1] if found else "no fault happened"


def list_points(words: Sequence[str]) -> tuple[Done, list[Point]]:
    """Run os-containers once and return all the points of ours: what Python opens at its start is not."""
    calls = (*CHANGING, *WRITING)
    done = run(
        ["strace", f"--output={LOG}", "--decode-fds=path", f"--trace={','.join(calls)}", *_ours(words)]
    )
    lines = LOG.read_text(errors="replace").splitlines()
    return done, [point for call in calls for point in _points(call, lines, _wanted(call))]


def _points(call: str, lines: Sequence[str], wanted: Callable[[str], bool]) -> list[Point]:
    mine = [line for line in lines if line.startswith(f"{call}(")]
    return [Point(call, number, line) for number, line in enumerate(mine, start=1) if wanted(line)]


def _wanted(call: str) -> Callable[[str], bool]:
    if call == "execve":
        return lambda _: False  # that is the start of the program itself
    if call == "openat":
        return lambda line: _is_ours(line) and "= -1 ENOENT" not in line
    return _is_ours if call in WRITING else lambda _: True


def _is_ours(line: str) -> bool:
    return any(place in line for place in _PLACES)


def _ours(words: Sequence[str]) -> list[str]:
    return ["os-containers", *words]
