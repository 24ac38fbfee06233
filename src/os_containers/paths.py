"""Where things are, for the system or for one user; pure.

/var/lib/containers/atomic/        state; for a user $XDG_DATA_HOME/containers/atomic
    NAME -> .deploy/NAME/SERIAL    what is active
    .deploy/NAME/SERIAL/           deployments
    .storage/repo                  the OSTree repo
    .journal/ .staging/ .trash/ .mounted/ .locks/
/usr/lib/containers/atomic/NAME    the distribution's own, read only
/etc/systemd/system                units; for a user $XDG_CONFIG_HOME/systemd/user
/etc/tmpfiles.d                    for a user $XDG_CONFIG_HOME/user-tmpfiles.d
/etc/os-containers/config.toml     what is set; for a user also $XDG_CONFIG_HOME/os-containers/config.toml
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from os_containers.errors import SystemFaultError

_CONFIG = "os-containers/config.toml"


class Mode(StrEnum):
    """Whose services we run: the host's, or those of one user."""

    SYSTEM = "system"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Paths:
    """Every directory that we read or write, resolved once at the start."""

    mode: Mode
    state: Path
    repo: Path
    units: Path
    tmpfiles: Path
    run_directory: Path
    config_directory: Path
    state_directory: Path
    # where the distribution has containers of its own
    factories: Path | None = None

    @classmethod
    def find(
        cls,
        *,
        uid: int,
        environment: Mapping[str, str],
        state: Path | None = None,
        repo: Path | None = None,
    ) -> "Paths":
        """Return the paths for root (system mode) or for an ordinary user (user mode).

        state and repo are where an administrator wants them; the environment comes before that. Raises
        SystemFaultError when a user has no HOME or no XDG_RUNTIME_DIR.
        """
        found = _system(environment, state) if uid == 0 else _user(uid, environment, state)
        asked = _absolute(environment, "OSTREE_REPO") or repo
        return replace(found, repo=asked) if asked else found

    @property
    def deployments(self) -> Path:
        return self.state / ".deploy"

    @property
    def staging(self) -> Path:
        return self.state / ".staging"

    @property
    def trash(self) -> Path:
        return self.state / ".trash"

    @property
    def mounted(self) -> Path:
        return self.state / ".mounted"

    @property
    def journals(self) -> Path:
        return self.state / ".journal"

    @property
    def locks(self) -> Path:
        return self.state / ".locks"

    @property
    def own_directories(self) -> tuple[Path, ...]:
        """Return the directories that are ours alone, made when they are needed."""
        work = (self.locks, self.journals, self.staging, self.trash, self.mounted)
        return (self.state, self.deployments, *work, self.repo.parent)

    @property
    def config_files(self) -> tuple[Path, ...]:
        """Return the files that may say how we work, each changing what those before it said."""
        own = self.config_directory / _CONFIG
        return (own,) if self.mode is Mode.SYSTEM else (Path("/etc") / _CONFIG, own)


def _system(environment: Mapping[str, str], configured: Path | None) -> Paths:
    state = _state(environment, configured) or Path("/var/lib/containers/atomic")
    return Paths(
        mode=Mode.SYSTEM,
        state=state,
        repo=state / ".storage/repo",
        units=Path("/etc/systemd/system"),
        tmpfiles=Path("/etc/tmpfiles.d"),
        run_directory=Path("/run"),
        config_directory=Path("/etc"),
        state_directory=Path("/var/lib"),
        factories=Path("/usr/lib/containers/atomic"),
    )


def _user(uid: int, environment: Mapping[str, str], configured: Path | None) -> Paths:
    home = _absolute(environment, "HOME")
    if home is None:
        raise SystemFaultError("HOME is not set", hint="log in as the user, or set HOME")
    config = _absolute(environment, "XDG_CONFIG_HOME") or home / ".config"
    data = _absolute(environment, "XDG_DATA_HOME") or home / ".local/share"
    state = _state(environment, configured) or data / "containers/atomic"
    return Paths(
        mode=Mode.USER,
        state=state,
        repo=state / ".storage/repo",
        units=config / "systemd/user",
        tmpfiles=config / "user-tmpfiles.d",
        run_directory=_absolute(environment, "XDG_RUNTIME_DIR") or Path(f"/run/user/{uid}"),
        config_directory=config,
        state_directory=data,
    )


def _state(environment: Mapping[str, str], configured: Path | None) -> Path | None:
    return _absolute(environment, "OS_CONTAINERS_CHECKOUT_PATH") or configured


def _absolute(environment: Mapping[str, str], variable: str) -> Path | None:
    text = environment.get(variable)
    if not text:
        return None
    path = Path(text)
    if not path.is_absolute():
        raise SystemFaultError(f"{variable} must be an absolute path, not {text!r}", hint=f"unset {variable}")
    return path
