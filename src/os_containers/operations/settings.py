"""What is set on this host, and who says so: an option, the environment, a file, or nobody."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from os_containers.host.host_policy import POLICY_FILE, allowed_by
from os_containers.host.runtime import PREFERRED
from os_containers.operations.system import System
from os_containers.paths import Mode
from os_containers.process import find_program

_VARIABLES = {"checkout-path": "OS_CONTAINERS_CHECKOUT_PATH", "repo": "OSTREE_REPO", "runtime": "RUNTIME"}


class Source(StrEnum):
    """Who may decide a setting, the first before the next; of two files, a user's own."""

    OPTION = "option"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting by its key in a file; where is the option, variable or file, empty for a default.

    A value of None says that there is none: no OCI runtime is installed.
    """

    key: str
    value: str | int | float | None
    source: Source
    where: str = ""


def list_settings(system: System, options: Mapping[str, str | float | None]) -> list[Setting]:
    """Return all settings in force; options are those of this call, by their names without dashes."""
    return [*(_setting(system, key, value, options) for key, value in _values(system)), *_policy(system)]


def _policy(system: System) -> Iterator[Setting]:
    """Yield what policy.toml says; a user has no host files that it could be about."""
    if system.mode is Mode.SYSTEM:
        file = system.paths.config_directory / POLICY_FILE
        source, where = (Source.FILE, str(file)) if file.exists() else (Source.DEFAULT, "")
        yield Setting("allow-host-paths", ", ".join(allowed_by(file)), source, where)


def _values(system: System) -> Iterator[tuple[str, str | int | float | None]]:
    """Yield what holds when no option says anything."""
    general = system.config.general
    yield "checkout-path", str(system.paths.state)
    yield "repo", str(system.paths.repo)
    yield "runtime", system.environment.get("RUNTIME") or general.runtime or _usual_runtime()
    yield "retention", general.retention
    yield "lock-timeout", general.lock_timeout
    config = system.config
    for name, value in (dataclasses.asdict(config.limits) | dataclasses.asdict(config.deployment)).items():
        yield f"limits.{name.replace('_', '-')}", value


def _setting(
    system: System, key: str, value: str | float | None, options: Mapping[str, str | float | None]
) -> Setting:
    given = options.get(key)
    if given is not None:
        return Setting(key, given, Source.OPTION, f"--{key}")
    variable = _VARIABLES.get(key)
    if variable and system.environment.get(variable):
        return Setting(key, value, Source.ENVIRONMENT, variable)
    file = system.config.origins.get(key)
    if file:
        return Setting(key, value, Source.FILE, file)
    return Setting(key, value, Source.DEFAULT)


def _usual_runtime() -> str | None:
    return next((name for name in PREFERRED if find_program(name)), None)
