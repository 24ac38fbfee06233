"""A command in a container: the process that the runtime is told to run, made of the service's own."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from os_containers.deployment.accounts import find_account
from os_containers.deployment.runtime_config import RuntimeConfig, has_terminals
from os_containers.errors import ImageError, UsageError

# all but the bounding set: what nobody else than root has by itself
_CAPABILITIES = ("ambient", "effective", "inheritable", "permitted")
_NOT_FOUND = 127
# with what runtimes end that could not run a command
_RUNTIMES_OWN = {1, 255}


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


def code_of(code: int, config: RuntimeConfig, process: Mapping[str, Any], rootfs: Path) -> int:
    """Return the exit code of a command; 127, as from a shell, when a runtime failed that did not find it."""
    return _NOT_FOUND if code in _RUNTIMES_OWN and _is_missing(config, process, rootfs) else code


def _is_missing(config: RuntimeConfig, process: Mapping[str, Any], rootfs: Path) -> bool:
    """Tell whether a program is surely not in the container: in its root, and in no mount."""
    program = process["args"][0]
    named = [one.partition("=") for one in process.get("env", ())]
    path = next((value for name, _, value in named if name == "PATH"), "")
    tops = [process["cwd"]] if "/" in program else path.split(":")
    places = [PurePosixPath("/", top, program) for top in tops]
    mounts = [mount.get("destination", "/") for mount in config.get("mounts", [])]
    in_mounts = any(place.is_relative_to(mount) for place in places for mount in mounts)
    return not in_mounts and not any(os.path.lexists(f"{rootfs}{place}") for place in places)


def _become(described: dict[str, Any], rootfs: Path, user: str) -> None:
    try:
        account = find_account(rootfs, user)
    except ImageError as error:
        raise UsageError(error.message, hint="a name in /etc/passwd of the image, or a number") from error
    described["user"] = {"uid": account.uid, "gid": account.gid, "additionalGids": list(account.groups)}
    if account.uid and "capabilities" in described:
        kept = described["capabilities"]
        described["capabilities"] = {name: kept[name] for name in kept if name not in _CAPABILITIES}


def _absolute(directory: str) -> str:
    path = PurePosixPath("/", directory.lstrip("/"))
    # the way out of CVE-2024-21626
    if not directory.startswith("/") or ".." in path.parts or path.is_relative_to("/proc"):
        raise UsageError(f"{directory!r} is no directory to run in", hint="an absolute path, not in /proc")
    return str(path)
