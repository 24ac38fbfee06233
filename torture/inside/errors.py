"""(b) An error instead of a call: the command itself must end in the state before, or succeed."""

from collections.abc import Iterator

from torture.inside.command import run
from torture.inside.judge import Judge
from torture.inside.kills import chosen, finish, store_at_rest
from torture.inside.operation import Operation
from torture.inside.report import Tally, tell
from torture.inside.trace import WRITING, Point, last_line, list_points, with_fault

# Which system calls can meet an error in earnest.
ADDING = {"rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat", "symlink", "symlinkat"}
REMOVING = {"unlink", "unlinkat", "rmdir", "fchmod", "chmod", "fchmodat", "fchown", "lchown", "fchownat"}
SYNCING = {"fsync", "fdatasync", "syncfs"}
WITH_DATA = {"write", "pwrite64", "setxattr", "fsetxattr", "ftruncate"}
ERRORS = {
    "ENOSPC": ADDING | SYNCING | WITH_DATA | {"openat"},
    "EIO": ADDING | REMOVING | SYNCING | {*WRITING},
    "EROFS": ADDING | REMOVING | {"openat"},
    "EMFILE": {"openat"},
    "EAGAIN": {"clone", "clone3", "vfork"},
}
# done all the same; a fault of the system
EXPECTED_CODES = frozenset({0, 8})
# where a command's own words go to
OUTPUT = "memfd:said"
# A file that is only read can meet these.
READING = {"EIO", "EMFILE"}


def torture(operation: Operation, *, sample: int, seed: int) -> None:
    """Let each call of an operation fail once, or a sample of them, with every error that it can meet."""
    judge = Judge(operation)
    judge.prepare()
    _, points = list_points(operation.words)
    rest = store_at_rest()
    for error in ERRORS:
        tally = Tally("b", operation.name, error)
        listed = [point for point in points if meets(point, error)]
        # each error has its own sample
        for point in chosen(listed, sample, seed + len(error)) if sample else listed:
            _round(judge, point, error, tally)
        finish(tally, rest, listed=len(listed))


def meets(point: Point, error: str) -> bool:
    """Tell whether a call can meet an error in earnest."""
    return point.call in ERRORS[error] and (error in READING or point.writes)


def _round(judge: Judge, point: Point, error: str, tally: Tally) -> None:
    before, after = judge.prepare()
    done = run(with_fault(point, f"error={error}", judge.operation.words))
    at = last_line()
    if OUTPUT in at:
        return  # what is told of a change is not the change
    verdict = judge.after_error(before, after, done)
    tally.codes[str(done.code)] += 1
    # ok after an fsync that failed promises too much (F7)
    if done.code not in EXPECTED_CODES or (done.code == 0 and point.call in SYNCING):
        tell("note", operation=judge.operation.name, fault=error, at=at, code=done.code, said=done.stderr)
    tally.count(verdict, str(point), f"{at} => exit code {done.code}: {_error_line(done.stderr)}")


def _error_line(said: str) -> str:
    return next(_lines(said, "error: "), said.strip()[-200:])


def _lines(said: str, start: str) -> Iterator[str]:
    return (line for line in said.splitlines() if line.startswith(start))
