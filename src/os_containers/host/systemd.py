"""systemd, through systemctl: it works before D-Bus is up, offline, and for `--user`.

ServiceManager is the seam at which tests put a fake.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from os_containers import process
from os_containers.errors import AUTHOR, ImageError, ProcessError, SystemFaultError
from os_containers.host.last_words import ENTRY_FIELDS, last_words
from os_containers.host.unit_state import (
    STATE_PROPERTIES,
    USAGE_PROPERTIES,
    UnitState,
    UnitUsage,
    parse_scopes,
    parse_states,
    parse_usage,
)
from os_containers.paths import Mode

TIMEOUT = 90.0
# A start may take as long as the unit's own TimeoutStartSec allows; systemd ends it.
START_TIMEOUT = 900.0
# Among them is the service's own, below what a unit says when it stops.
_LAST_LINES = 50
_FROWNED_UPON = re.compile("obsolete|deprecated|unsafe|legacy|please use|will be removed")
# systemd 257 names the bus: "Failed to connect to user scope bus via local transport: ..."
_OFFLINE = re.compile(r"Failed to connect to ([a-z]+ scope )?bus|System has not been booted with systemd")


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
    def scope_command(self, name: str, *, description: str = "") -> list[str]: ...
    def scopes(self) -> dict[str, str]: ...
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
        shown = self._systemctl("show", f"--property={','.join(STATE_PROPERTIES)}", "--", *names)
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
            raise ImageError(
                f"systemd does not accept the unit of the image: {'; '.join(faults)}", hint=AUTHOR
            )

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

    def scope_command(self, name: str, *, description: str = "") -> list[str]:
        """Return what to put before a command line so that it runs in a cgroup of its own, NAME.scope.

        A login session's cgroup is not the user's to divide, and no place for a container.
        """
        options = ["--scope", "--quiet", "--collect", "--property=Delegate=yes", f"--unit={name}.scope"]
        described = [f"--description={description}"] if description else []
        return ["systemd-run", *self._user(), *options, *described, "--"]

    def scopes(self) -> dict[str, str]:
        """Return the descriptions of the scopes that run, by their names; none where no systemd answers."""
        asked = ["list-units", "--type=scope", "--state=running", "--output=json", "--no-pager"]
        try:
            shown = process.run(["systemctl", *self._user(), *asked], check=False, timeout=self.timeout)
        except SystemFaultError:
            return {}
        return parse_scopes(shown.stdout)

    def last_log_line(self, unit: str, *, since: float) -> str:
        """Return the newest line that a unit's service wrote since then, empty if there is none."""
        user = "USER_" if self.mode is Mode.USER else ""
        # the service itself, and what systemd says of it
        of = [f"_SYSTEMD_{user}UNIT={unit}", "+", f"{user}UNIT={unit}"]
        lines = [*of, f"--since=@{since:.6f}", f"--lines={_LAST_LINES}"]
        fields = f"--output-fields={','.join(ENTRY_FIELDS)}"
        form = ["--output=json", fields, "--all", "--no-pager", "--quiet"]
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
        return parse_usage(self._systemctl("show", f"--property={','.join(USAGE_PROPERTIES)}", "--", unit))

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
