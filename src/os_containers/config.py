"""What the administrator has set: the tables of config.toml, those of the system first, then the user's own.

/etc/os-containers/config.toml                  for the host, and for all its users
$XDG_CONFIG_HOME/os-containers/config.toml      for one user, who may change what the host's says

    [limits]                     the fields of image/limits.py and deployment/limits.py, with dashes
    layer-size = "100GiB"        bytes, or a text with KiB, MiB, GiB or TiB
    retries = 5

A key that is not known is refused, so that no mistake in writing passes as a setting.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from os_containers.deployment.limits import DEFAULT_LIMITS as DEPLOYMENT_LIMITS
from os_containers.deployment.limits import DeploymentLimits
from os_containers.errors import UsageError
from os_containers.faults import is_exhaustion
from os_containers.image.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Part = TypeVar("_Part", bound="DataclassInstance")

_SIZE = re.compile(r"([0-9]+) *([KMGT]iB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """All that can be set; each table is a value of the stage that it is for."""

    limits: Limits = DEFAULT_LIMITS
    deployment: DeploymentLimits = DEPLOYMENT_LIMITS


# Which of these a table of the file is about; a key is that of every one that has such a field.
_TABLES = {"limits": ("limits", "deployment")}
_PARTS = tuple(field.name for field in dataclasses.fields(Config))


def load_config(files: Iterable[Path]) -> Config:
    """Return what the files say, each changing what those before it said; a missing one says nothing."""
    config = Config()
    for file in files:
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if is_exhaustion(error):
                raise
            raise UsageError(f"{file} cannot be read: {error.strerror}", hint=f"look at {file}") from error
        config = parse_config(text, config, str(file))
    return config


def parse_config(text: bytes, base: Config, file: str) -> Config:
    """Return base with what a file's text changes. Raises UsageError, which names the file and the key."""
    # most hosts have no such file, and need not wait for this
    import tomllib  # noqa: PLC0415

    try:
        document = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} is no TOML: {error}", hint=f"correct {file}") from error
    parts = {name: getattr(base, name) for name in _PARTS}
    for name, table in document.items():
        if name not in _TABLES:
            raise UsageError(f"{file}: {name!a} is unknown", hint=f"there are: {', '.join(_TABLES)}")
        if not isinstance(table, dict):
            raise UsageError(f"{file}: {name} must be a table", hint=f"write [{name}]")
        about = {part: parts[part] for part in _TABLES[name]}
        _check_keys(table, about.values(), f"{file}: {name}")
        parts |= {part: _changed(value, table, f"{file}: {name}") for part, value in about.items()}
    return dataclasses.replace(base, **parts)


def _check_keys(table: Mapping[str, object], parts: "Iterable[DataclassInstance]", where: str) -> None:
    known = dict.fromkeys(key for part in parts for key in _keys(part))
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {key!a} is unknown", hint=f"there are: {', '.join(known)}")


def _keys(part: "DataclassInstance") -> dict[str, str]:
    """Return what is written in the file for each field."""
    return {field.name.replace("_", "-"): field.name for field in dataclasses.fields(part)}


def _changed(part: _Part, table: Mapping[str, object], where: str) -> _Part:
    changes = {
        field: _checked(table[key], getattr(part, field), f"{where}.{key}")
        for key, field in _keys(part).items()
        if key in table
    }
    return dataclasses.replace(part, **changes)


def _checked(value: object, default: object, where: str) -> int | float:
    """Return a value of the type that its default has; a number of bytes may be written with its unit."""
    if isinstance(default, float):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX:
            return float(value)
        raise UsageError(f"{where} must be a number of seconds, not {value!a}", hint="for example 60 or 0.5")
    size = _bytes(value) if isinstance(value, str) else value
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MAX:
        return size
    raise UsageError(f"{where} must be a number or a size, not {value!a}", hint='for example 500 or "64GiB"')


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None
