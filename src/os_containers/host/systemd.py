"""systemd, through systemctl: it works before D-Bus is up, offline, and for `--user`.

ServiceManager is the seam at which tests put a fake.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from os_containers import process
from os_containers.errors import AUTHOR, ImageError, ProcessError, SystemFaultError
from os_containers.host.last_words import last_words
from os_containers.paths import Mode

TIMEOUT = 90.0
# A start may take as long as the unit's own TimeoutStartSec allows; systemd ends it.
START_TIMEOUT = 900.0
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "ActiveEnterTimestampMonotonic",
    "StateChangeTimestampMonotonic",
    "ExecMainStatus",
    "Type",
    "UnitFileState",
    "NeedDaemonReload",
)
_USAGE = ("MemoryCurrent", "CPUUsageNSec", "TasksCurrent")
# With what a program ends that was asked to: 128 + SIGHUP, SIGINT, SIGQUIT, SIGTERM; a failure to systemd.
_ENDED = frozenset({129, 130, 131, 143})
_NOT_COUNTED = 2**64 - 1
_TRIED_AGAIN = frozenset({"auto-restart", "auto-restart-queued"})
# Among them is the service's own, below what a unit says when it stops.
_LAST_LINES = 50
_FROWNED_UPON = re.compile("obsolete|deprecated|unsafe|legacy|please use|will be removed")
# systemd 257 names the bus: "Failed to connect to user scope bus via local transport: ..."
_OFFLINE = re.compile(r"Failed to connect to ([a-z]+ scope )?bus|System has not been booted with systemd")


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd knows of a unit, in systemd's own words."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    restarts: int = 0
    # seconds on the clock of time.monotonic(): active since, and in this state since
    active_since: float = 0
    changed: float = 0
    status: int = 0
    type: str = "simple"
    enabled: str = ""
    needs_reload: bool = False

    @property
    def is_running(self) -> bool:
        return self.active in {"active", "activating", "reloading"}

    @property
    def is_meant_to_run(self) -> bool:
        """Tell whether it runs, or would if it had not failed: nobody has stopped it."""
        return self.is_running or (self.active == "failed" and self.status not in _ENDED)

    @property
    def has_processes(self) -> bool:
        """Tell whether something runs: not so of a oneshot that is done, or a service to be tried again."""
        return self.is_running and self.sub not in _TRIED_AGAIN | {"exited"}

    @property
    def is_enabled(self) -> bool:
        return self.enabled in {"enabled", "enabled-runtime"}

    @property
    def is_static(self) -> bool:
        """Tell whether there is nothing to enable: nobody has said whether it is to start at boot."""
        return self.enabled == "static"

    @property
    def is_down(self) -> bool:
        return self.active == "failed" or self.sub in _TRIED_AGAIN

    @property
    def has_failed(self) -> bool:
        """Tell whether it is down, or was since somebody started it."""
        return self.is_down or self.restarts > 0

    def has_failed_since(self, time: float) -> bool:
        """Tell whether it is down, or has come back by itself since a time."""
        return self.is_down or (self.restarts > 0 and self.active_since > time)


@dataclass(frozen=True, slots=True)
class UnitUsage:
    """What a unit takes: bytes of memory, seconds of processor time, processes; None where nobody counts."""

    memory: int | None = None
    processor: float | None = None
    tasks: int | None = None


class ServiceManager(Protocol):
    """What we need of a service manager."""

    def version(self) -> int: ...
    def states(self, units: Iterable[str]) -> dict[str, UnitState]: ...
    def unit_paths(self) -> list[Path]: ...
    def verify_unit(self, path: Path) -> None: ...
    def reload(self) -> None: ...
    def enable(self, unit: str) -> None: ...
    def reenable(self, unit: str) -> None: ...
    def disable(self, unit: str) -> None: ...
    def start(self, unit: str) -> None: ...
    def queue_start(self, unit: str) -> None: ...
    def restart(self, unit: str) -> None: ...
    def reset_failed(self, unit: str) -> None: ...
    def stop(self, unit: str) -> None: ...
    def create_tmpfiles(self, fragment: Path) -> None: ...
    def remove_tmpfiles(self, fragment: Path) -> None: ...
    def shown(self, program: str, *words: str) -> str: ...
    def scope_command(self, name: str) -> list[str]: ...
    def last_log_line(self, unit: str, *, since: float) -> str: ...
    def log_command(self, unit: str) -> str: ...
    def journal_command(self, unit: str) -> list[str]: ...
    def log_lines(self, unit: str, lines: int) -> list[str]: ...
    def usage(self, unit: str) -> UnitUsage: ...


@dataclass(frozen=True)
class Systemctl:
    """The service manager of the host, or of one user; no call but start and stop may take longer."""

    mode: Mode
    timeout: float = TIMEOUT

    def version(self) -> int:
        """Return systemd's major version; it is asked once."""
        return self._version

    def states(self, units: Iterable[str]) -> dict[str, UnitState]:
        """Return the state of each unit, by one call."""
        names = list(units)
        if not names:
            return {}
        shown = self._systemctl("show", f"--property={','.join(_PROPERTIES)}", "--", *names)
        # by their order: an alias is answered with the name of the unit that it stands for
        return dict(zip(names, parse_states(shown), strict=True))

    def unit_paths(self) -> list[Path]:
        """Return the directories where systemd looks for units, the first ones first."""
        shown = process.run(self._analyze("unit-paths"), timeout=self.timeout).stdout
        return [Path(line) for line in shown.splitlines()]

    def verify_unit(self, path: Path) -> None:
        """Raise ImageError for a unit of which systemd does not understand every line."""
        command = self._analyze("verify", "--recursive-errors=yes", "--man=no", "--", path)
        # it leaves directories in /tmp when it is killed
        shown = process.run_undisturbed(command, timeout=self.timeout)
        faults = unit_faults(shown.stderr, path) if shown.returncode else []
        if faults:
            raise ImageError(f"the unit of the image is refused: {'; '.join(faults)}", hint=AUTHOR)

    def reload(self) -> None:
        self._systemctl("daemon-reload")

    def enable(self, unit: str) -> None:
        self._systemctl("enable", "--quiet", "--", unit)

    def reenable(self, unit: str) -> None:
        self._systemctl("reenable", "--quiet", "--", unit)

    def disable(self, unit: str) -> None:
        self._systemctl("disable", "--quiet", "--", unit)

    def start(self, unit: str) -> None:
        self._systemctl("start", "--", unit, timeout=START_TIMEOUT)

    def queue_start(self, unit: str) -> None:
        """Have systemd start a unit, and do not wait for it."""
        self._systemctl("start", "--no-block", "--", unit)

    def restart(self, unit: str) -> None:
        """Stop and start a unit, and what depends on it."""
        self._systemctl("restart", "--", unit, timeout=START_TIMEOUT)

    def stop(self, unit: str) -> None:
        """Stop a unit and forget that it failed."""
        self._systemctl("stop", "--", unit, timeout=START_TIMEOUT)
        self.reset_failed(unit)

    def reset_failed(self, unit: str) -> None:
        """Forget that a unit failed, and how often it was started since."""
        process.run(
            ["systemctl", *self._user(), "reset-failed", "--", unit], check=False, timeout=self.timeout
        )

    def create_tmpfiles(self, fragment: Path) -> None:
        self._tmpfiles("--create", fragment)

    def remove_tmpfiles(self, fragment: Path) -> None:
        self._tmpfiles("--remove", fragment)

    def shown(self, program: str, *words: str) -> str:
        """Return a command as a person would type it."""
        return " ".join([program, *self._user(), *words])

    def scope_command(self, name: str) -> list[str]:
        """Return what to put before a command line so that it runs in a cgroup of its own, NAME.scope.

        A login session's cgroup is not the user's to divide, and no place for a container.
        """
        options = ["--scope", "--quiet", "--collect", "--property=Delegate=yes", f"--unit={name}.scope"]
        return ["systemd-run", *self._user(), *options, "--"]

    def last_log_line(self, unit: str, *, since: float) -> str:
        """Return the newest line that a unit's service wrote since then, empty if there is none."""
        field = "_SYSTEMD_USER_UNIT" if self.mode is Mode.USER else "_SYSTEMD_UNIT"
        lines = [f"{field}={unit}", f"--since=@{since:.6f}", f"--lines={_LAST_LINES}"]
        form = ["--output=json", "--output-fields=MESSAGE,_SYSTEMD_CGROUP", "--all", "--no-pager", "--quiet"]
        # what was said is on its way there; only root may ask for it
        process.run(["journalctl", "--sync"], check=False, timeout=self.timeout)
        shown = process.run(["journalctl", *lines, *form], check=False, timeout=self.timeout)
        return last_words(shown.stdout)

    def log_command(self, unit: str) -> str:
        """Return the command with which a person reads the journal of a unit."""
        return f"journalctl {'--user ' if self.mode is Mode.USER else ''}--unit {unit}"

    def journal_command(self, unit: str) -> list[str]:
        """Return the command that shows the journal of a unit; options may follow."""
        return ["journalctl", *self._user(), f"--unit={unit}", "--no-pager"]

    def log_lines(self, unit: str, lines: int) -> list[str]:
        """Return the newest lines of the journal of a unit, oldest first, each with its time."""
        command = [*self.journal_command(unit), f"--lines={lines}", "--quiet"]
        return process.run(command, check=False, timeout=self.timeout).stdout.splitlines()

    def usage(self, unit: str) -> UnitUsage:
        """Return what a unit takes now."""
        return parse_usage(self._systemctl("show", f"--property={','.join(_USAGE)}", "--", unit))

    @functools.cached_property
    def _version(self) -> int:
        words = self._systemctl("show", "--property=Version", "--value").split(".")[0].split()
        digits = words[0].split("~")[0] if words else ""
        return int(digits) if digits.isdecimal() else 0

    def _systemctl(self, *words: str, timeout: float | None = None) -> str:
        try:
            command = ["systemctl", *self._user(), *words]
            return process.run(command, timeout=timeout or self.timeout).stdout
        except ProcessError as error:
            raise self._offline(error) if _OFFLINE.match(error.stderr) else error from error

    def _analyze(self, *words: str | Path) -> list[str | Path]:
        # notices, as about what is obsolete, are for the author of the unit
        quiet = ("SYSTEMD_LOG_LEVEL=warning", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_COLOR=0")
        return ["env", *quiet, "systemd-analyze", *self._user(), *words]

    def _tmpfiles(self, verb: str, fragment: Path) -> None:
        process.run(["systemd-tmpfiles", *self._user(), verb, fragment], timeout=self.timeout)

    def _offline(self, error: ProcessError) -> SystemFaultError:
        said = error.stderr.strip().splitlines()[0]
        if self.mode is Mode.SYSTEM:
            return SystemFaultError(f"systemd does not answer: {said}", hint="boot the host with systemd")
        return SystemFaultError(
            f"the user's systemd does not answer: {said}",
            hint="log in as the user, or run: loginctl enable-linger, and set XDG_RUNTIME_DIR",
        )

    def _user(self) -> Sequence[str]:
        return ["--user"] if self.mode is Mode.USER else []


def unit_faults(said: str, path: Path) -> list[str]:
    """Return what systemd-analyze verify says against a unit itself.

    Programs and other units may come later, so their absence is none; nor is a setting that works and is
    frowned upon.
    """
    here, unit = f"{path}:", f"{path.name}: "
    return [
        line.replace(str(path), path.name)
        for line in said.splitlines()
        if (line.startswith(here) and not _works(line))
        or (line.startswith(unit) and line.endswith("Refusing."))
    ]


def _works(line: str) -> bool:
    return _FROWNED_UPON.search(line) is not None and "gnoring" not in line


def parse_states(shown: str) -> list[UnitState]:
    """Return the states in the output of `systemctl show`: blocks of NAME=VALUE, an empty line between."""
    return [_state(dict(_pairs(block))) for block in shown.strip().split("\n\n")]


def parse_usage(shown: str) -> UnitUsage:
    """Return the usage in the output of `systemctl show`, where it may say "[not set]" or 2**64 - 1."""
    found = {
        name: int(value) for name, value in _pairs(shown) if value.isdecimal() and int(value) != _NOT_COUNTED
    }
    nanoseconds = found.get("CPUUsageNSec")
    return UnitUsage(
        memory=found.get("MemoryCurrent"),
        processor=None if nanoseconds is None else nanoseconds / 1e9,
        tasks=found.get("TasksCurrent"),
    )


def _pairs(block: str) -> Iterable[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("=")
        yield name, value


def _state(block: Mapping[str, str]) -> UnitState:
    return UnitState(
        load=block.get("LoadState", ""),
        active=block.get("ActiveState", ""),
        sub=block.get("SubState", ""),
        restarts=int(block.get("NRestarts") or 0),
        active_since=int(block.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
        changed=int(block.get("StateChangeTimestampMonotonic") or 0) / 1e6,
        status=int(block.get("ExecMainStatus") or 0),
        type=block.get("Type", ""),
        enabled=block.get("UnitFileState", ""),
        needs_reload=block.get("NeedDaemonReload") == "yes",
    )
