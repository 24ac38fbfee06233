"""What the administrator has set: config.toml of the system first, then the user's own.

/etc/os-containers/config.toml                  for the host, and for all its users
$XDG_CONFIG_HOME/os-containers/config.toml      for one user, who may change what the host's says

    runtime = "runc"             the fields of General, with dashes
    lock-timeout = 10
    [limits]                     the fields of image/limits.py and deployment/limits.py, with dashes
    layer-size = "100GiB"        bytes, or a text with KiB, MiB, GiB or TiB
    retries = 5

A key that is not known is refused, so that no mistake in writing passes as a setting. Where the host's file
says that the state and the repo are, is for the host's own containers: no user may write there.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from os_containers.deployment.limits import DEFAULT_LIMITS as DEPLOYMENT_LIMITS
from os_containers.deployment.limits import DeploymentLimits
from os_containers.errors import UsageError
from os_containers.faults import is_exhaustion
from os_containers.image.limits import DEFAULT_LIMITS, Limits
from os_containers.paths import Paths

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Loader = Callable[[Iterable[Path]], "Config"]
_Part = TypeVar("_Part", bound="DataclassInstance")

_SIZE = re.compile(r"([0-9]+) *([KMGT]iB)")
_PLACES = ("checkout_path", "repo")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MAX = 2**63 - 1

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class General:
    """What stands before the tables: None and an empty text say that nothing is set."""

    checkout_path: Path | None = None
    repo: Path | None = None
    runtime: str = ""
    # how many deployments of a container stay, the active one among them
    retention: int = 2
    # seconds
    lock_timeout: float = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """All that can be set; each table is a value of the stage that it is for.

    origins has the file that says it for each key that a file has: limits.layers, runtime.
    """

    general: General = General()
    limits: Limits = DEFAULT_LIMITS
    deployment: DeploymentLimits = DEPLOYMENT_LIMITS
    origins: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)


# Which of these a table of the file is about; a key is that of every one that has such a field.
_TABLES = {"limits": ("limits", "deployment")}
_GENERAL = {field.name.replace("_", "-"): field.name for field in dataclasses.fields(General)}


def find_paths(
    *, uid: int, environment: Mapping[str, str], load: Loader | None = None
) -> tuple[Paths, Config]:
    """Return where things are for root or for a user, and what is set; both depend on each other."""
    config = (load or load_config)(Paths.find(uid=uid, environment=environment).config_files)
    general = config.general
    paths = Paths.find(uid=uid, environment=environment, state=general.checkout_path, repo=general.repo)
    return paths, config


def load_usable(files: Iterable[Path]) -> Config:
    """Return the same for who must go on: a file with a mistake says nothing, and that is logged.

    Nothing is discarded then: how many deployments stay may stand in that file.
    """
    config = Config()
    for file in files:
        try:
            config = _with_file(config, file)
        except UsageError as error:
            logger.warning("%s: this file is ignored", error.message)
            config = dataclasses.replace(config, general=dataclasses.replace(config.general, retention=_MAX))
    return config


def load_config(files: Iterable[Path]) -> Config:
    """Return what the files say, each changing what those before it said; a missing one says nothing."""
    config = Config()
    for file in files:
        config = _with_file(config, file)
    return config


def _with_file(base: Config, file: Path) -> Config:
    # the file before is the host's
    config = _without_places(base)
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return config
    except OSError as error:
        if is_exhaustion(error):
            raise
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", hint=f"check {file} and its permissions"
        ) from error
    return parse_config(text, config, str(file))


def parse_config(text: bytes, base: Config, file: str) -> Config:
    """Return base with what a file's text changes. Raises UsageError, which names the file and the key."""
    # most hosts have no such file, and need not wait for this
    import tomllib  # noqa: PLC0415

    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        # also for a number with more digits than Python converts
        raise UsageError(f"{file} is not valid TOML: {error}", hint=f"correct {file}") from error
    config = base
    for name, value in document.items():
        try:
            config = _with_key(config, name, value, file)
        except ValueError as error:
            # a number that is too long to be shown
            raise UsageError(f"{file}: {name}: {error}", hint=f"correct {file}") from error
    return config


def _with_key(config: Config, name: str, value: object, file: str) -> Config:
    if name in _GENERAL:
        return _with_general(config, name, value, file)
    if name in _TABLES:
        return _with_table(config, name, value, file)
    hint = f"valid names: {', '.join((*_GENERAL, *_TABLES))}"
    raise UsageError(f"{file}: {name!a} is unknown", hint=hint)


def _without_places(config: Config) -> Config:
    general = dataclasses.replace(config.general, checkout_path=None, repo=None)
    places = {name.replace("_", "-") for name in _PLACES}
    origins = {key: file for key, file in config.origins.items() if key not in places}
    return dataclasses.replace(config, general=general, origins=origins)


def _with_general(config: Config, key: str, value: object, file: str) -> Config:
    field = _GENERAL[key]
    checked = _GENERAL_CHECKS[field](value, f"{file}: {key}")
    general = dataclasses.replace(config.general, **{field: checked})
    return dataclasses.replace(config, general=general, origins={**config.origins, key: file})


def _with_table(config: Config, name: str, table: object, file: str) -> Config:
    if not isinstance(table, dict):
        raise UsageError(f"{file}: {name} must be a table", hint=f"write [{name}]")
    about = {part: getattr(config, part) for part in _TABLES[name]}
    _check_keys(table, about.values(), f"{file}: {name}")
    parts = {part: _changed(value, table, f"{file}: {name}") for part, value in about.items()}
    origins = {**config.origins, **{f"{name}.{key}": file for key in table}}
    return dataclasses.replace(config, **parts, origins=origins)


def _check_keys(table: Mapping[str, object], parts: "Iterable[DataclassInstance]", where: str) -> None:
    known = dict.fromkeys(key for part in parts for key in _keys(part))
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {key!a} is unknown", hint=f"valid keys: {', '.join(known)}")


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
        return _seconds(value, where)
    size = _bytes(value) if isinstance(value, str) else value
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MAX:
        return size
    raise UsageError(f"{where} must be a number or a size, not {value!a}", hint='for example 500 or "64GiB"')


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def _seconds(value: object, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX:
        return float(value)
    raise UsageError(f"{where} must be a number of seconds, not {value!a}", hint="for example 60 or 0.5")


def _path(value: object, where: str) -> Path:
    if isinstance(value, str) and value.startswith("/") and value.isprintable():
        return Path(value)
    raise UsageError(f"{where} must be an absolute path, not {value!a}", hint='for example "/srv/containers"')


def _program(value: object, where: str) -> str:
    if isinstance(value, str) and value and value.isprintable():
        return value
    raise UsageError(
        f"{where} must be the name or path of an OCI runtime, not {value!a}", hint='for example "crun"'
    )


def _count(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX:
        return value
    raise UsageError(
        f"{where} must be a number of at least 1, not {value!a}", hint="2 keeps the previous one, too"
    )


_GENERAL_CHECKS: Mapping[str, Callable[[object, str], Any]] = {
    "checkout_path": _path,
    "repo": _path,
    "runtime": _program,
    "retention": _count,
    "lock_timeout": _seconds,
}
