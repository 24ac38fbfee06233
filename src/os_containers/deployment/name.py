"""The names of containers: what may be one, and which there are."""

import re
from pathlib import Path

from os_containers.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_UNIT_SUFFIXES = (
    *(".automount", ".device", ".mount", ".path", ".scope", ".service"),
    *(".slice", ".socket", ".swap", ".target", ".timer"),
)


def check_name(name: str) -> str:
    """Return the name of a container. Raises UsageError for one that is no file, unit and container name."""
    if not is_name(name):
        raise UsageError(
            f"{name!r} is not a container name",
            hint="use up to 64 letters, digits, '_', '.', '-', starting with a letter or digit",
        )
    if name.endswith(_UNIT_SUFFIXES):
        raise UsageError(f"{name!r} ends like a systemd unit", hint=f"use {name.rpartition('.')[0]!r}")
    return name


def is_name(text: str) -> bool:
    """Tell whether what is in a state may be a container, by its name."""
    return _NAME.fullmatch(text) is not None


def find_names(state: Path) -> list[str]:
    """Return the names of the containers in a state, sorted."""
    if not state.is_dir():
        return []
    return sorted(entry.name for entry in state.iterdir() if entry.is_symlink() and is_name(entry.name))
