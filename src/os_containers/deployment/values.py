"""The values of an image's variables, and where each came from.

Order: `--set` before the export manifest's `defaultValues` before what we generate; what is forced cannot be
set. In user mode the generated directories come before `defaultValues`: /etc and /run are not the user's.
Origins are kept, so that a new image's changed default arrives on update while what a person set stays.
"""

import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from os_containers.deployment.capabilities import possible_capabilities
from os_containers.deployment.limits import DEFAULT_LIMITS, DeploymentLimits
from os_containers.errors import UsageError
from os_containers.paths import Mode, Paths
from os_containers.process import find_program

FORCED = frozenset(
    {
        "DESTDIR",
        "EXEC_START",
        "EXEC_STARTPRE",
        "EXEC_STOP",
        "EXEC_STOPPOST",
        "HOST_GID",
        "HOST_UID",
        "IMAGE_ID",
        "IMAGE_NAME",
        "NAME",
    }
)
_BY_OPTION = {"RUNTIME": "--runtime"}
_DIRECTORIES = frozenset({"CONF_DIRECTORY", "RUN_DIRECTORY", "STATE_DIRECTORY"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Origin(StrEnum):
    """Who decided a value."""

    SET = "set"
    DEFAULT = "default"
    GENERATED = "generated"
    FORCED = "forced"


@dataclass(frozen=True, slots=True)
class Value:
    """The text of one variable and who decided it."""

    text: str
    origin: Origin


Values = Mapping[str, Value]


def parse_settings(settings: Iterable[str], *, limits: DeploymentLimits = DEFAULT_LIMITS) -> dict[str, str]:
    """Return what `--set NAME=VALUE` options say. Raises UsageError for what cannot be set."""
    parsed: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(f"--set {setting!r} is not NAME=VALUE", hint="for example --set PORT=2379")
        if name in FORCED:
            raise UsageError(
                f"{name} cannot be set: os-containers decides it", hint=f"leave out --set {name}"
            )
        if name in _BY_OPTION:
            raise UsageError(
                f"{name} is set with {_BY_OPTION[name]}, not with --set",
                hint=f"give {_BY_OPTION[name]} {text}",
            )
        if name in parsed:
            raise UsageError(f"{name} is set twice", hint="give --set once for each variable")
        if _CONTROL.search(text):
            raise UsageError(
                f"the value of {name} is not plain text",
                hint="give it in UTF-8 and in one line, without control characters",
            )
        if len(text.encode()) > limits.value:
            raise UsageError(
                f"the value of {name} is larger than {limits.value} bytes", hint="put it into a host file"
            )
        parsed[name] = text
    if len(parsed) > limits.values:
        raise UsageError(f"more than {limits.values} values are set", hint="put them into a host file")
    return parsed


def decide(
    *,
    mode: Mode,
    settings: Mapping[str, str],
    defaults: Mapping[str, str],
    generated: Mapping[str, str],
    forced: Mapping[str, str],
) -> dict[str, Value]:
    """Return the value of every variable, by the order that the module docstring gives."""
    ours = _DIRECTORIES if mode is Mode.USER else frozenset()
    layers = (
        (generated.items(), Origin.GENERATED),
        (((name, text) for name, text in defaults.items() if name not in ours), Origin.DEFAULT),
        (settings.items(), Origin.SET),
        (forced.items(), Origin.FORCED),
    )
    return {name: Value(text, origin) for items, origin in layers for name, text in items}


def forced(name: str, *, path: Path, image_id: str, image_name: str) -> dict[str, str]:
    """Return the values that nobody can set, but the command lines; path is where the deployment will be."""
    return {
        "DESTDIR": str(path),
        "HOST_GID": str(os.getegid()),
        "HOST_UID": str(os.geteuid()),
        "IMAGE_ID": image_id,
        "IMAGE_NAME": image_name,
        "NAME": name,
    }


def texts(values: Values) -> dict[str, str]:
    """Return the plain texts, as a template wants them."""
    return {name: value.text for name, value in values.items()}


def set_by_user(values: Values) -> dict[str, str]:
    """Return what a person set, which stays over updates."""
    return {name: value.text for name, value in values.items() if value.origin is Origin.SET}


def generate(paths: Paths, *, name: str, runtime: Path, previous: Values) -> dict[str, str]:
    """Return the values that an image may use without declaring them; the UUID stays over updates."""
    kept = previous.get("UUID")
    return {
        "ALL_PROCESS_CAPABILITIES": ",\n".join(f'"{one}"' for one in possible_capabilities()),
        "ATOMIC": str(find_program("os-containers") or "os-containers"),
        "CONF_DIRECTORY": str(paths.config_directory),
        "PIDFILE": str(paths.run_directory / f"container-{name}.pid"),
        "RUNTIME": str(runtime),
        "RUN_DIRECTORY": str(paths.run_directory),
        "STATE_DIRECTORY": str(paths.state_directory),
        "UUID": kept.text if kept else str(uuid.uuid4()),
    }
