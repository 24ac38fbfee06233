"""(g) What an operation leaves on disk is durable when it ends: every name and every content that matters.

A file with content needs fsync before it gets its name by a rename; the directory of a name that was made,
replaced or removed needs fsync afterwards; syncfs does for both. `systemctl enable` makes names through
systemd, which syncs nothing.
"""

import os.path
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torture.inside.command import run
from torture.inside.judge import Judge, State
from torture.inside.operation import Operation
from torture.inside.report import Tally
from torture.inside.snapshot import REPO, STATE, TEMPORARY, UNITS
from torture.inside.trace import LOG

CALLS = (
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,symlink,symlinkat,mkdir,mkdirat,"
    "fsync,fdatasync,syncfs,openat,creat,write,pwrite64,execve,sync_file_range,sync"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (\d+)(?:<(.*)>)?$")
_STRING = re.compile(r'(?:(AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')
_FD = re.compile(r"^\d+<([^>]*)>")
# Where a name need not outlive a power cut: whoever comes next takes it away.
_PASSING = re.compile(
    rf"{STATE}/(\.locks|\.staging|\.trash)(/|$)|{REPO}/(tmp|objects|\.lock)(/|$)|.*/{re.escape(TEMPORARY)}[^/]*$"
)
_LASTING = re.compile(rf"({STATE}|{UNITS}|/etc/tmpfiles\.d|/etc/torture)(/|$)")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded, with absolute paths."""

    name: str
    paths: tuple[str, ...]
    text: str


@dataclass
class Disk:
    """What is not yet durable while the calls go by."""

    written: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def torture(operation: Operation) -> None:
    """Run an operation once, and tell which names and contents it left to chance."""
    judge = Judge(operation)
    judge.prepare()
    run([
        "strace", "-f", f"--output={LOG}", "--decode-fds=path", "--string-limit=512", f"--trace={CALLS}",
        "os-containers", *operation.words,
    ])  # fmt: skip
    tally = Tally("g", operation.name, "fsync lint")
    calls = [call for call in parse(LOG.read_text(errors="replace")) if call.name in _STEPS]
    tally.points = sum(call.name not in {"openat", "creat", "write", "pwrite64"} for call in calls)
    wrong = find_undurable(calls)
    if wrong:
        tally.states[State.THIRD] += len(wrong)
        tally.wrong(wrong, "the whole", "")
    tally.finish()


def find_undurable(calls: Iterable[Call]) -> list[str]:
    """Return which names and contents the calls left to chance."""
    disk = Disk()
    for call in calls:
        _STEPS[call.name](disk, call)
    return sorted({*disk.wrong, *(f"{path}: {why}" for path, why in disk.names.items())})


def parse(log: str) -> Iterator[Call]:
    """Yield the calls of a log that succeeded."""
    pending: dict[str, str] = {}
    for line in log.splitlines():
        process, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            pending[process] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            rest = pending.pop(process, "") + resumed[1].lstrip()
        found = _LINE.match(f"{process} {rest}")
        if found:
            yield _call(found[2], found[3], found[5])


def _call(name: str, arguments: str, opened: str | None) -> Call:
    if name in {"fsync", "fdatasync", "syncfs", "write", "pwrite64"}:
        found = _FD.match(arguments)
        return Call(name, (found[1],) if found else (), arguments)
    if name == "openat":
        return Call(name, (opened or "",), arguments)
    if name == "execve":
        return Call(name, (), arguments)
    strings = _STRING.findall(arguments)
    if name in {"symlink", "symlinkat"}:
        strings = strings[1:] or strings
    return Call(name, tuple(os.path.normpath(Path(at or "/") / path) for _, at, path in strings), arguments)


def _open(disk: Disk, call: Call) -> None:
    if "O_CREAT" in call.text or "O_TRUNC" in call.text:
        disk.written.add(call.paths[0])
    if "O_CREAT" in call.text and "O_TMPFILE" not in call.text:
        _named(disk, call.paths[0], "made, its directory not synced")


def _write(disk: Disk, call: Call) -> None:
    for path in call.paths:
        if path.startswith("/"):
            disk.written.add(path)


def _rename(disk: Disk, call: Call) -> None:
    source, target = call.paths[:2]
    if _lasts(target):
        _content_is_safe(disk, source, target)
    _forgotten(disk, source)
    if _lasts(source):
        _named(disk, source, "renamed away, its directory not synced")
    _named(disk, target, "renamed into place, its directory not synced")
    disk.written = {_moved(path, source, target) for path in disk.written}


def _content_is_safe(disk: Disk, source: str, target: str) -> None:
    unsafe = [path for path in disk.written if path == source or path.startswith(f"{source}/")]
    if unsafe:
        disk.wrong.append(
            f"{_plain(target)}: renamed into place, its content not synced: {_plain(unsafe[0])}"
        )
    if "/refs/heads/" in target and disk.objects:
        disk.wrong.append(f"{_plain(target)}: a ref to objects that are not synced: {len(disk.objects)}")


def _link(disk: Disk, call: Call) -> None:
    target = call.paths[-1]
    if target.startswith(f"{REPO}/objects/"):
        disk.objects.add(target)
    _named(disk, target, "linked, its directory not synced")


def _make(disk: Disk, call: Call) -> None:
    _named(disk, call.paths[-1], "made, its directory not synced")


def _remove(disk: Disk, call: Call) -> None:
    for path in call.paths[:1]:
        disk.written.discard(path)
        _forgotten(disk, path)
        _named(disk, path, "removed, its directory not synced")


def _sync(disk: Disk, call: Call) -> None:
    for path in call.paths:
        disk.written.discard(path)
        disk.names = {name: why for name, why in disk.names.items() if str(Path(name).parent) != path}


def _sync_all(disk: Disk, call: Call) -> None:
    file_system = (str(STATE),) if call.paths and call.paths[0].startswith(str(STATE)) else ("/",)
    disk.objects.clear()
    disk.written = {path for path in disk.written if not path.startswith(file_system)}
    disk.names = {name: why for name, why in disk.names.items() if not name.startswith(file_system)}


def _execute(disk: Disk, call: Call) -> None:
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', call.text)[1:]
    if words[:1] == ["systemctl"] and {"enable", "disable", "reenable"} & {*words}:
        for directory in (UNITS, UNITS / "multi-user.target.wants"):
            _named(disk, str(directory / words[-1]), f"systemctl {words[1]}, its directory not synced")


_STEPS = {
    "openat": _open, "creat": _open, "write": _write, "pwrite64": _write,
    "rename": _rename, "renameat": _rename, "renameat2": _rename,
    "link": _link, "linkat": _link, "symlink": _make, "symlinkat": _make, "mkdir": _make, "mkdirat": _make,
    "unlink": _remove, "unlinkat": _remove, "rmdir": _remove,
    "fsync": _sync, "fdatasync": _sync, "syncfs": _sync_all, "execve": _execute,
}  # fmt: skip


def _named(disk: Disk, path: str, why: str) -> None:
    if _lasts(path):
        disk.names[_plain(path)] = why


def _forgotten(disk: Disk, path: str) -> None:
    """Drop the names in a directory that is gone: they need no sync of their own."""
    disk.names = {name: why for name, why in disk.names.items() if not name.startswith(f"{_plain(path)}/")}


def _moved(path: str, source: str, target: str) -> str:
    inside = path == source or path.startswith(f"{source}/")
    return target + path.removeprefix(source) if inside else path


def _lasts(path: str) -> bool:
    return bool(_LASTING.match(path)) and not _PASSING.match(path)


def _plain(path: str) -> str:
    return re.sub(rf"{re.escape(TEMPORARY)}[0-9a-f]{{16}}", f"{TEMPORARY}*", path)
