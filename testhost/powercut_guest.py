"""What runs inside the machine whose power is cut: it checks what a boot has found, then works until the cut.

It is copied into the machine and run there on its own, by systemd or by hand:

    powercut_guest.py record NAME    note the state of the container as one that is known
    powercut_guest.py run            check, then work for ever; tell all on the serial console
"""

import hashlib
import json
import os
import random
import re
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

CONTAINER = "hello"
STORE = Path("/var/lib/containers/atomic")
IMAGES = Path("/srv/powercut")
KNOWN = IMAGES / "known.json"
CONSOLE = "/dev/ttyS0"
MARK = "powercut"
RECOVERY = "os-containers-recover.service"
# How it gets to run at boot.
RECOVERY_LINK = Path("/etc/systemd/system/multi-user.target.wants") / RECOVERY
JOB_SECONDS = 60
TEMPORARY = ".os-containers-"
VERSIONS = ("1", "2")
ABSENT = "absent"
# Installed, but not started yet: the version's name with this after it.
STOPPED = " stopped"
# Everything that the container has on the host, whichever version it is.
HOST_PATHS = (
    "/etc/hello",
    "/etc/systemd/system/hello.service",
    "/etc/systemd/system/hello.service.d",
    "/etc/systemd/system/multi-user.target.wants/hello.service",
    "/etc/tmpfiles.d/hello.conf",
    "/usr/local/bin/hello-new",
    "/usr/local/bin/hello-old",
    "/usr/local/bin/hello-version",
)
# Values that depend on the kernel, and that are new for each installation.
OTHER_VALUES = frozenset({"ALL_PROCESS_CAPABILITIES", "UUID"})
# An image that is pulled and thrown away again.
SPARE = "3"
WEIGHTS = {"update": 4, "rollback": 4, "uninstall": 2, "pull": 1, "prune": 1}

State = Mapping[str, str]


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1] == "record":
        _record(sys.argv[2])
    else:
        _tell("checked", **_check())
        for number, operation in enumerate(_operations(), start=1):
            _carry_out(number, operation)


def read_state() -> State:
    """Return all that makes a version of the container, the deployment's number left out."""
    return {
        **{path: text for top in HOST_PATHS for path, text in _files(Path(top))},
        **dict(_deployment(STORE / CONTAINER)),
        "service": _output("systemctl", "is-active", CONTAINER),
    }


def _files(top: Path) -> Iterator[tuple[str, str]]:
    if top.is_symlink() or top.exists():
        yield str(top), _describe(top)
    if top.is_dir() and not top.is_symlink():
        for inner in sorted(top.iterdir()):
            yield from _files(inner)


def _describe(path: Path) -> str:
    status = path.lstat()
    kind = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
    if path.is_symlink():
        return f"{kind} -> {_without_serial(str(path.readlink()))}"
    if path.is_file():
        return f"{kind} {_without_serial(path.read_text(errors='replace'))}"
    return kind


def _deployment(link: Path) -> Iterator[tuple[str, str]]:
    if not link.is_symlink():
        return
    yield "symlink", _without_serial(str(link.readlink()))
    for name in ("rootfs/version", "rootfs/bin/busybox", "config.json", "hello.service"):
        yield name, _checksum(link / name)
    try:
        info = json.loads((link / "info").read_bytes())
    except (OSError, ValueError) as error:
        yield "info", str(error)
        return
    for key in ("revision", "ostree-commit", "installed-files-checksum", "was-active", "complete"):
        yield f"info {key}", json.dumps(info.get(key), sort_keys=True)
    for key, value in info.get("values", {}).items():
        if key not in OTHER_VALUES:
            yield f"value {key}", _without_serial(value)


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(
            _without_serial(path.read_text(errors="surrogateescape")).encode(errors="surrogateescape")
        ).hexdigest()
    except OSError as error:
        return str(error)


def _without_serial(text: str) -> str:
    return re.sub(rf"(\.deploy/{CONTAINER})/[0-9]+", r"\1/N", text)


def _record(name: str) -> None:
    KNOWN.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    KNOWN.write_text(json.dumps({**known, name: read_state()}, indent=1))


def _name_of(state: State) -> str:
    """Return the name of a known state, or the differences to the nearest one."""
    known: Mapping[str, State] = json.loads(KNOWN.read_text())
    apart = {name: _differences(one, state) for name, one in known.items()}
    nearest = min(apart, key=lambda name: len(apart[name]))
    return f"not {nearest}: {'; '.join(apart[nearest])}" if apart[nearest] else nearest


def _differences(expected: State, found: State) -> list[str]:
    keys = sorted(expected.keys() | found.keys())
    return [
        f"{key} is {found.get(key)!r:.200} instead of {expected.get(key)!r:.200}"
        for key in keys
        if expected.get(key) != found.get(key)
    ]


def _check() -> dict[str, object]:
    _wait_for_jobs()
    booted = time.monotonic()
    state = read_state()
    return {
        "state": _name_of(state),
        "problems": [
            *_temporaries(),
            *_journals(),
            *_missing_recovery(),
            *_failed_units(),
            *_broken_objects(),
            *_broken_invariants(),
        ],
        "staged": len(list((STORE / ".staging").glob("*"))),
        "recovery": _recovery_seconds(),
        "booted": booted,
    }


def _wait_for_jobs() -> None:
    """Return when systemd has nothing more to do: recovery only queues the start of a service."""
    deadline = time.monotonic() + JOB_SECONDS
    while _output("systemctl", "list-jobs", "--no-legend") and time.monotonic() < deadline:
        time.sleep(0.5)


def _temporaries() -> Iterator[str]:
    # what is in .staging nobody ever sees, and prune takes it away
    for top in ("/etc", "/usr/local", str(STORE)):
        for directory, directories, files in os.walk(top):
            if Path(directory) == STORE:
                directories[:] = [name for name in directories if name not in {".storage", ".staging"}]
            yield from (
                f"left behind: {directory}/{name}"
                for name in (*directories, *files)
                if name.startswith(TEMPORARY)
            )


def _journals() -> Iterator[str]:
    for journal in (STORE / ".journal").glob("[!.]*"):
        yield f"left behind: {journal}"


def _missing_recovery() -> Iterator[str]:
    # the unit itself without a container or a journal would do no harm
    if (STORE / CONTAINER).is_symlink() and not RECOVERY_LINK.exists():
        yield f"not there: {RECOVERY_LINK}"


def _failed_units() -> list[str]:
    listed = _output("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    return [f"failed: {line}" for line in listed.splitlines()]


def _broken_objects() -> list[str]:
    done = _run("ostree", "fsck", "--quiet", f"--repo={STORE / '.storage/repo'}")
    return [] if done.returncode == 0 else [f"ostree fsck: {done.stderr.strip()[-500:]}"]


def _broken_invariants() -> list[str]:
    done = _run("os-containers", "check", "--json")
    if done.returncode == 2:  # noqa: PLR2004 - the usage error of a version without this command
        return []
    try:
        broken = json.loads(done.stdout)
    except ValueError:
        return [f"check: {(done.stdout + done.stderr).strip()[-1000:]}"]
    return [f"check: {one['invariant']} {one['what']}: {one['where']}" for one in broken]


def _recovery_seconds() -> float:
    shown = _output(
        "systemctl", "show", "--value", "--property=ExecMainStartTimestampMonotonic",
        "--property=ExecMainExitTimestampMonotonic", RECOVERY,
    )  # fmt: skip
    started, ended = sorted(int(line or "0") for line in shown.splitlines())[-2:] if shown else (0, 0)
    return (ended - started) / 1e6


def _operations() -> Iterator[str]:
    while True:
        if not (STORE / CONTAINER).is_symlink():
            yield "install"
        elif _output("systemctl", "is-active", CONTAINER) != "active":
            yield "start"
        else:
            yield random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]  # noqa: S311


def _carry_out(number: int, operation: str) -> None:
    before = _name_of(read_state())
    other = VERSIONS[1 - VERSIONS.index(before)] if before in VERSIONS else random.choice(VERSIONS)  # noqa: S311
    for words, target in _commands(operation, before, other):
        _tell(
            "begin", number=number, command=" ".join(words), operation=operation, before=before, target=target
        )
        done = _run(*words)
        before = _name_of(read_state())
        said = (done.stdout + done.stderr).strip() if done.returncode else ""
        _tell("end", number=number, target=target, code=done.returncode, state=before, said=said[-500:])


def _commands(operation: str, before: str, other: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give the commands of an operation, each with the state that it leads to."""
    program = "os-containers"
    install = (program, "install", "--name", CONTAINER, "hello:latest")
    tag = (program, "images", "tag", f"hello:{other}", "hello:latest")
    if operation == "update":
        yield tag, before
        yield (program, "update", CONTAINER), other
    elif operation == "rollback" and len(list((STORE / ".deploy" / CONTAINER).glob("[0-9]*"))) > 1:
        yield (program, "rollback", CONTAINER), other
    elif operation == "uninstall":
        yield (program, "uninstall", CONTAINER), ABSENT
    elif operation == "install":
        yield tag, before
        yield install, f"{other}{STOPPED}"
        yield ("systemctl", "start", CONTAINER), other
    elif operation == "start":
        yield ("systemctl", "start", CONTAINER), before.removesuffix(STOPPED)
    elif operation == "pull":
        spare = f"hello:{SPARE}"
        yield (program, "pull", f"oci:{IMAGES}/{SPARE}:{SPARE}", "--name-image", spare), before
        yield (program, "images", "delete", spare), before
        yield (program, "images", "prune"), before
    elif operation == "prune":
        yield (program, "images", "prune"), before


def _output(*words: str) -> str:
    return _run(*words).stdout.strip()


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )


def _tell(event: str, **told: object) -> None:
    with Path(CONSOLE).open("wb", buffering=0) as console:
        console.write(f"\n{MARK} {json.dumps({'event': event, **told})}\n".encode())
        termios.tcdrain(console)


if __name__ == "__main__":
    main()
