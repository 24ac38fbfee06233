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


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command is run, where that is not as the service: nothing here says as it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = ""
    no_terminal: bool = False


AS_THE_SERVICE = Manner()


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
    config: RuntimeConfig,
    command: Sequence[str],
    *,
    rootfs: Path,
    manner: Manner = AS_THE_SERVICE,
    terminal_type: str = "xterm",
) -> dict[str, Any]:
    """Return a container's process with another command, on a terminal like ours if our input is one.

    Where the container can have none, it has our own input and output as they are. Raises UsageError for a
    user that the image does not know, and for what is no directory.
    """
    wants_terminal = os.isatty(0) and not manner.no_terminal
    described = {**config["process"], "terminal": wants_terminal and has_terminals(config)}
    if command:
        described["args"] = list(command)
    added = dict(manner.environment)
    if described["terminal"]:
        width, height = os.get_terminal_size(0)
        # else it is 0 by 0 with crun, until somebody resizes ours
        described["consoleSize"] = {"width": width, "height": height}
        added = {"TERM": terminal_type} | added
    if added:
        kept = [one for one in described.get("env", ()) if one.partition("=")[0] not in added]
        described["env"] = [*kept, *(f"{name}={value}" for name, value in added.items())]
    if manner.directory:
        described["cwd"] = _absolute(manner.directory)
    if manner.user:
        _become(described, rootfs, manner.user)
    return described


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
