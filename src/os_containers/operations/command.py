"""A command in a container: the process that the runtime is told to run, made of the service's own."""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from os_containers.deployment.accounts import find_account
from os_containers.deployment.inside import Inside, look_inside
from os_containers.deployment.runtime_config import RuntimeConfig, has_terminals, search_path
from os_containers.errors import CommandError, ImageError, NoCommandError, UsageError

# all but the bounding set: what nobody else than root has by itself
_CAPABILITIES = ("ambient", "effective", "inheritable", "permitted")
# with what runtimes end that could not run a command
_RUNTIMES_OWN = {1, 126, 127, 255}
_FAILED = {"error", "fatal", "panic"}
_NOT_THERE = re.compile(r"not found|[Nn]o such file")

# what is said of a line that is none; not a ValueError in the msgspec of Debian 13
_NO_ENTRY = (msgspec.DecodeError, ValueError)


class _LogEntry(msgspec.Struct, frozen=True):
    level: str
    msg: str


@dataclass(frozen=True, slots=True)
class Command:
    """What is run in a container: without words its own command, and where nothing is said as the service."""

    words: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = ""
    no_terminal: bool = False


def parse_environment(given: Iterable[str]) -> dict[str, str]:
    """Return what NAME=VALUE options say; of a NAME alone, what our own environment does.

    Raises UsageError for what is neither.
    """
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or "\0" in one:
            raise UsageError(f"--env {one!r} is not NAME=VALUE", hint="for example --env LANG=C.UTF-8")
        if equals or name in os.environ:
            found[name] = value if equals else os.environ[name]
    return found


def process_of(
    config: RuntimeConfig, command: Command, *, rootfs: Path, terminal_type: str = "xterm"
) -> dict[str, Any]:
    """Return a container's process with another command, on a terminal like ours if our input is one.

    Where the container can have none, it has our own input and output as they are. Raises UsageError for a
    user that the image does not know, and for what is no directory.
    """
    wants_terminal = os.isatty(0) and not command.no_terminal
    described = {**config["process"], "terminal": wants_terminal and has_terminals(config)}
    if command.words:
        described["args"] = list(command.words)
    added = dict(command.environment)
    if described["terminal"]:
        width, height = os.get_terminal_size(0)
        # else it is 0 by 0 with crun, until somebody resizes ours
        described["consoleSize"] = {"width": width, "height": height}
        added = {"TERM": terminal_type} | added
    if added:
        kept = [one for one in described.get("env", ()) if one.partition("=")[0] not in added]
        described["env"] = [*kept, *(f"{name}={value}" for name, value in added.items())]
    if command.directory:
        described["cwd"] = _absolute(command.directory)
    if command.user:
        _become(described, rootfs, command.user)
    return described


def check_command(
    config: RuntimeConfig, process: Mapping[str, Any], command: Command, rootfs: Path, *, where: str
) -> None:
    """Raise an error for what surely cannot be run: UsageError for its directory, NoCommandError else.

    What may be in a mount is left to the runtime.
    """
    mounts = [mount.get("destination", "/") for mount in config.get("mounts", [])]
    directory = PurePosixPath("/", process["cwd"])
    # that of the image is made by the runtime
    if command.directory and look_inside(rootfs, directory, mounts) in {Inside.MISSING, Inside.OTHER}:
        raise UsageError(
            f"{command.directory!r} is not a directory in {where}", hint="give one that exists, for example /"
        )
    program, path = process["args"][0], search_path(process)
    if "/" not in program and path is None:
        return  # runtimes have each their own
    tops = [""] if "/" in program else (path or "").split(":")
    if all(look_inside(rootfs, directory / top / program, mounts) is Inside.MISSING for top in tops):
        raise NoCommandError(
            f"there is no program {program!r} in {where}",
            hint=None if "/" in program else f"its PATH is {path}; give the full path of a program elsewhere",
        )


def may_mount(config: RuntimeConfig) -> bool:
    """Tell whether a running container may have mounted something since it was started."""
    return "CAP_SYS_ADMIN" in config["process"].get("capabilities", {}).get("bounding", ())


def runtime_failure(code: int, log: bytes, process: Mapping[str, Any], *, where: str) -> CommandError | None:
    """Return the error for a command that a runtime could not run, by its log; None when it was run."""
    said = _errors_in(log) if code in _RUNTIMES_OWN else []
    if not said:
        return None
    kind = NoCommandError if _NOT_THERE.search(said[-1]) else CommandError
    return kind(f"{process['args'][0]!r} cannot be run in {where}: {said[-1]}")


def lost_output(log: bytes) -> bytes:
    """Return what a command wrote to its terminal and its runtime put into the log instead.

    crun 1.21 now and then does so with the first words of a command; what it logs itself is JSON.
    """
    written = [line for line in log.splitlines(keepends=True) if _entry(line) is None]
    # the logger ends the line once more
    return b"".join(written).removesuffix(b"\n")


def _errors_in(log: bytes) -> list[str]:
    entries = map(_entry, log.splitlines())
    return [one.msg for one in entries if one and one.level in _FAILED]


def _entry(line: bytes) -> _LogEntry | None:
    with contextlib.suppress(*_NO_ENTRY):
        return msgspec.json.decode(line, type=_LogEntry)
    return None


def _become(described: dict[str, Any], rootfs: Path, user: str) -> None:
    try:
        account = find_account(rootfs, user)
    except ImageError as error:
        raise UsageError(
            error.message, hint="give a name in /etc/passwd of the image, or a number"
        ) from error
    described["user"] = {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)}
    if account.uid and "capabilities" in described:
        kept = described["capabilities"]
        described["capabilities"] = {name: kept[name] for name in kept if name not in _CAPABILITIES}


def _absolute(directory: str) -> str:
    path = PurePosixPath("/", directory.lstrip("/"))
    # the way out of CVE-2024-21626
    if not directory.startswith("/") or ".." in path.parts or path.is_relative_to("/proc"):
        raise UsageError(
            f"{directory!r} is not a valid working directory", hint="give an absolute path outside /proc"
        )
    return str(path)
