"""What has changed in a root file system since the last look, as the tar of a layer.

    python3 -m bench.layers ROOT DIRECTORY    writes DIRECTORY/1.tar, then 2.tar, ...

DIRECTORY/seen.json remembers what was there. The same tree gives the same bytes: names are sorted, and there
is one time for all.
"""

import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

# mount points, what a package manager leaves, and what differs between two builds
LEFT_OUT = (
    "dev", "proc", "sys", "tmp", "run",
    "etc/machine-id", "etc/resolv.conf",
    "var/cache", "var/lib/apt/lists", "var/log", "var/tmp",
)  # fmt: skip
TIME = 1735689600

State = list[object]


def main() -> None:
    root, directory = map(Path, sys.argv[1:])
    add_layer(root, directory)


def add_layer(root: Path, directory: Path) -> None:
    """Write the next layer of a root."""
    memory = directory / "seen.json"
    seen: dict[str, State] = json.loads(memory.read_text()) if memory.exists() else {}
    found = {path: _state(root / path) for path in _paths(root)}
    _write(root, directory / f"{len(list(directory.glob('*.tar'))) + 1}.tar", _changes(seen, found))
    memory.write_text(json.dumps(found))


def _paths(root: Path) -> Iterator[str]:
    for place, directories, names in os.walk(root):
        inside = os.path.relpath(place, root)
        prefix = "" if inside == "." else f"{inside}/"
        directories[:] = [name for name in directories if f"{prefix}{name}" not in LEFT_OUT]
        yield from (f"{prefix}{name}" for name in (*directories, *names) if f"{prefix}{name}" not in LEFT_OUT)


def _state(path: Path) -> State:
    status = path.lstat()
    target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115 - text, not a path
    written = (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else (0, 0)
    return [status.st_mode, status.st_uid, status.st_gid, target, *written]


def _changes(seen: Mapping[str, State], found: Mapping[str, State]) -> Iterator[str]:
    """Give each path that is new, another, or gone: then as its whiteout."""
    for path in sorted({*seen, *found}):
        if path not in found:
            parent, _, name = path.rpartition("/")
            if not parent or parent in found:
                yield f"{parent}/.wh.{name}" if parent else f".wh.{name}"
        elif seen.get(path) != found[path]:
            yield path


def _write(root: Path, target: Path, paths: Iterator[str]) -> None:
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            if path.rpartition("/")[2].startswith(".wh."):
                whiteout = tarfile.TarInfo(path)
                whiteout.mtime = TIME
                archive.addfile(whiteout)
            else:
                archive.add(root / path, arcname=path, recursive=False, filter=_timeless)


def _timeless(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.mtime = TIME
    member.uname = member.gname = ""
    return None if member.ischr() or member.isblk() or member.isfifo() else member


if __name__ == "__main__":
    main()
