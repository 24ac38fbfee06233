"""Everything about a container that must be as before an operation or as after it.

A snapshot is a table of text: where, and what is there. Serials, dates and unique ids are replaced by what
they mean, so that two runs of the same operation give the same snapshot.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from torture.inside.command import run

STATE = Path("/var/lib/containers/atomic")
REPO = STATE / ".storage/repo"
UNITS = Path("/etc/systemd/system")
# what a package brings, and nobody writes
FACTORIES = Path("/usr/lib/containers/atomic")
FACTORY_UNITS = Path("/usr/lib/systemd/system")
FACTORY_TMPFILES = Path("/usr/lib/tmpfiles.d")
# root file systems that are there before their containers
ROOTS = Path("/srv/torture")
TEMPORARY_PLACES = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - where to look
# the star, because Python 3.11 passes over a dangling link when it looks for a name without one
RECOVERY_UNIT = "os-containers-recover.service*"
TEMPORARY = ".os-containers-"
# Characters of a file: in a message, and in a snapshot before it becomes a checksum.
SHOWN, KEPT = 100, 8192
PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "FragmentPath")
# What a killed command may leave running for a moment.
PROGRAMS = re.compile(
    r"os-containers |skopeo |systemctl |systemd-(tmpfiles|analyze) |(crun|runc) (create|delete|kill|spec)"
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LAYER = re.compile(r"[0-9a-f]{64}")

Snapshot = dict[str, str]


def take(name: str) -> Snapshot:
    """Return all that there is of a container, the images of the store, and what nobody should have left."""
    return {
        **take_container(name),
        # ours, and there while there are containers
        **{f"recovery: {path}": _described(path) for path in sorted(UNITS.rglob(RECOVERY_UNIT))},
        **{f"image {ref}": "" for ref in _image_refs()},
        **{f"left {path}": "" for path in leftovers(name)},
    }


def take_container(name: str) -> Snapshot:
    """Return all that there is of a container."""
    ranks = _ranks(name)
    return {
        **_link(name, ranks),
        **_deployments(name, ranks),
        **_pins(name, ranks),
        **{path: _normalized(text, name, ranks) for path, text in take_host(name).items()},
    }


def take_host(name: str) -> Snapshot:
    """Return what a container has outside our own directories."""
    units = [path for directory in (UNITS, FACTORY_UNITS) for path in directory.rglob(f"{name}.service*")]
    places = [
        Path("/etc") / name, Path("/etc/tmpfiles.d") / f"{name}.conf",
        Path("/var/lib") / name, Path("/run") / f"{name}.version",
        FACTORIES / name, FACTORY_TMPFILES / f"{name}.conf", ROOTS / name, *units,
    ]  # fmt: skip
    found = {str(path): _described(path) for place in places for path in _walk(place)}
    shown = run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", f"{name}.service"]).stdout
    unit = {f"unit {line.split('=')[0]}": line for line in shown.splitlines()}
    return {**found, **unit, "running": _running_version(name)}


def _running_version(name: str) -> str:
    """Return what the processes of a service call their version."""
    versions = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"/{name}.service" in (process / "cgroup").read_text():
                versions.add((process / "root/version").read_text())
        except OSError:
            continue  # it ended meanwhile, or is the runtime itself
    return " ".join(sorted(versions))


def active_version(name: str) -> str:
    """Return which version is active, empty for none."""
    try:
        return (STATE / name / "rootfs/version").read_text()
    except OSError:
        return ""


def leftovers(name: str) -> list[str]:
    """Return what a finished or recovered command must not leave; what was killed gets a moment to go."""
    deadline = time.monotonic() + 5
    while (left := [*_held_locks(), *_processes()]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [*left, *_left_files(name)]


def whole_store() -> Snapshot:
    """Return the refs but the pins and the count of objects: what a store is back to after a prune."""
    refs = {str(path): "" for path in _walk(REPO / "refs/heads/ociimage") if path.is_file()}
    objects = sum(1 for path in (REPO / "objects").rglob("*") if path.is_file())
    return {**refs, "objects": str(objects), "in tmp": " ".join(sorted(_left_in_tmp()))}


def difference(one: Snapshot, other: Snapshot) -> list[str]:
    """Return in which places two snapshots differ, and how."""
    places = [place for place in sorted(one.keys() | other.keys()) if one.get(place) != other.get(place)]
    # of a deployment that one of them has not at all, its directory says enough
    whole = {
        place[:-1] for place in places if place.endswith(" .") and None in (one.get(place), other.get(place))
    }
    places = [place for place in places if place[-2:] == " ." or not place.startswith(tuple(whole))]
    return [f"{place}: {_short(one.get(place))} -> {_short(other.get(place))}" for place in places]


def _short(text: str | None) -> str:
    if text is None:
        return "absent"
    shown = text.replace("\n", "\\n")
    return shown if len(shown) < SHOWN else f"{shown[:SHOWN]}... ({len(text)} bytes)"


def _ranks(name: str) -> dict[str, str]:
    directory = STATE / ".deploy" / name
    serials = sorted(int(path.name) for path in _children(directory) if path.name.isdecimal())
    return {str(serial): f"#{rank}" for rank, serial in enumerate(serials)}


def _normalized(text: str, name: str, ranks: dict[str, str]) -> str:
    text = re.sub(rf"\.deploy/{name}/(\d+)", lambda found: ranks.get(found[1], f"gone {found[1]}"), text)
    return _UUID.sub("UUID", text)


def _link(name: str, ranks: dict[str, str]) -> Snapshot:
    link = STATE / name
    return {"active": _normalized(str(link.readlink()), name, ranks)} if link.is_symlink() else {}


def _deployments(name: str, ranks: dict[str, str]) -> Snapshot:
    found = {}
    activations = sorted({_activation(STATE / ".deploy" / name / serial / "info") for serial in ranks})
    for serial, rank in ranks.items():
        directory = STATE / ".deploy" / name / serial
        for path in _walk(directory):
            relative = path.relative_to(directory)
            text = _record(path, activations) if relative == Path("info") else _described(path)
            found[f"deployment {rank} {relative}"] = _normalized(text, name, ranks)
    return found


def _activation(info: Path) -> int:
    try:
        return int(json.loads(info.read_text()).get("activation", 0))
    except (OSError, ValueError):
        return 0


def _record(path: Path, activations: Sequence[int]) -> str:
    try:
        info = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        return f"unreadable: {error}"
    order = activations.index(info.get("activation", 0))
    # that an update failed is remembered, however it was made to
    info.pop("given-up", None)
    return json.dumps({**info, "created": 0, "serial": 0, "activation": f"#{order}"}, sort_keys=True)


def _pins(name: str, ranks: dict[str, str]) -> Snapshot:
    directory = REPO / "refs/heads/os-containers/deploy" / name
    pins = [path for path in _walk(directory) if path.is_file()]
    return {f"pin {ranks.get(path.name, 'of nothing')}": path.read_text() for path in pins}


def _image_refs() -> Iterator[str]:
    directory = REPO / "refs/heads/ociimage"
    for path in _walk(directory):
        if path.is_file() and not _LAYER.fullmatch(path.name):
            yield f"{path.relative_to(directory)} {path.read_text().strip()}"


def _held_locks() -> list[str]:
    return [f"lock {path.name}" for path in _walk(STATE / ".locks") if path.is_file() and _is_held(path)]


def _is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _processes() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if PROGRAMS.search(command):
            found.append(f"process {command}")
    return found


def _left_files(name: str) -> list[str]:
    inside = [
        path for directory in (".journal", ".staging", ".trash") for path in _children(STATE / directory)
    ]
    beside = [path for path in _children(STATE) if path.name.startswith(TEMPORARY)]
    places = (STATE / ".deploy", Path("/etc"), Path("/run") / name, Path("/var/lib") / name)
    around = [path for place in places for path in _walk(place) if path.name.startswith(TEMPORARY)]
    passing = [path for place in TEMPORARY_PLACES for path in place.glob("os-containers-*")]
    return [str(path) for path in (*inside, *beside, *around, *passing)]


def _left_in_tmp() -> Iterator[str]:
    for path in _children(REPO / "tmp"):
        # libostree keeps these, and takes the same directory for each transaction until the next boot
        is_kept = path.name == "cache" or path.name.endswith("-lock")
        is_next = path.name.startswith("staging-") and not any(one.is_file() for one in _walk(path))
        if not is_kept and not is_next:
            yield re.sub(r"[0-9A-Za-z]{6}$", "", path.name)


def _children(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _walk(path: Path) -> Iterator[Path]:
    if not os.path.lexists(path):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            yield from _walk(inner)


def _described(path: Path) -> str:
    status = path.lstat()
    return f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid} {_content(path, status)}"


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return f"-> {path.readlink()}"
    if not stat.S_ISREG(status.st_mode):
        return ""
    content = path.read_bytes()
    # texts are shown, so that a difference explains itself
    return content.decode() if len(content) < KEPT else hashlib.sha256(content).hexdigest()


def same(one: Snapshot, others: Sequence[Snapshot]) -> bool:
    """Tell whether a snapshot equals one of others."""
    return any(one == other for other in others)
