"""OCI runtimes: found, and asked to run what we built. Any that has the command line of runc will do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from os_containers import process
from os_containers.errors import SystemFaultError

PREFERRED = ("crun", "runc")
_TIMEOUT = 10.0
_RUNNING = re.compile(r'"status"\s*:\s*"running"')
_VERSION = re.compile(r"runc version ([0-9]+)\.([0-9]+)\.([0-9]+)(?:[-~]?rc\.?([0-9]+))?")
_FINAL = 1000  # a release comes after all its candidates
# A container could write to the host through masked paths and /dev/console: CVE-2025-31133 and with it
# CVE-2025-52565 and CVE-2025-52881. The first versions without it, by their first two numbers.
_MENDED = {(1, 2): (1, 2, 8, _FINAL), (1, 3): (1, 3, 3, _FINAL), (1, 4): (1, 4, 0, 3)}
# What older ones have besides, and the first version without it.
_OLD_FAULTS = (
    ((1, 0, 0, 7), "CVE-2019-5736"),
    ((1, 0, 0, 95), "CVE-2021-30465"),
    ((1, 1, 12, _FINAL), "CVE-2024-21626"),
)


@dataclass(frozen=True, slots=True)
class ServiceCommands:
    """The command lines of a unit: what EXEC_STARTPRE, EXEC_START, EXEC_STOP and EXEC_STOPPOST mean."""

    start_pre: tuple[str, ...]
    start: tuple[str, ...]
    stop: tuple[str, ...]
    stop_post: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Runtime:
    """An OCI runtime on this host."""

    path: Path

    @property
    def gives_users_groups(self) -> bool:
        """Tell whether a container of an ordinary user may have supplementary groups; runc refuses it."""
        return self.path.name != "runc"

    def service_commands(
        self, name: str, bundle: Path, *, pid_file: Path | None, stop_signal: str
    ) -> ServiceCommands:
        """Return how a unit runs the bundle: in the foreground, or behind a pid file."""
        detached = ("--detach", "--pid-file", str(pid_file)) if pid_file else ()
        # what a killed runtime left behind would make the next start fail
        clean = self._command("delete", "--force", name)
        return ServiceCommands(
            start_pre=clean,
            start=self._command("run", *detached, "--bundle", str(bundle), name),
            stop=self._command("kill", name, stop_signal),
            stop_post=clean,
        )

    def run_command(self, container: str, bundle: Path, *, log: Path) -> tuple[str, ...]:
        """Return how a bundle is run in the foreground to its end; what fails is in the log, as JSON."""
        return self._command(*_logging_to(log), "run", "--bundle", str(bundle), container)

    def exec_command(self, container: str, process_file: Path, *, log: Path) -> tuple[str, ...]:
        """Return how a process, described as in config.json, is run in a running container, with such a log.

        By its options alone, crun would not give it the container's directory and noNewPrivileges.
        """
        return self._command(*_logging_to(log), "exec", "--process", str(process_file), container)

    def is_running(self, container: str) -> bool:
        """Tell whether the runtime has a container that a command can join."""
        shown = process.run(self._command("state", container), check=False, timeout=_TIMEOUT)
        return shown.returncode == 0 and _RUNNING.search(shown.stdout) is not None

    def warnings(self) -> list[str]:
        """Return what is known against this version of the runtime, nothing when it does not tell it."""
        return known_faults(process.run(self._command("--version"), check=False, timeout=_TIMEOUT).stdout)

    def delete(self, container: str) -> None:
        """Remove what the runtime still knows of a container; one that it does not know is fine."""
        process.run(self._command("delete", "--force", container), check=False)

    def _command(self, *words: str) -> tuple[str, ...]:
        return (str(self.path), *words)


def _logging_to(log: Path) -> tuple[str, ...]:
    return "--log", str(log), "--log-format", "json"


def known_faults(version: str) -> list[str]:
    """Return a warning when what `runc --version` says is a version with known ways out of a container."""
    found = _VERSION.match(version)
    if found is None:
        return []
    numbers = (int(found[1]), int(found[2]), int(found[3]), int(found[4] or _FINAL))
    mended = _MENDED.get(numbers[:2], _MENDED[1, 2] if numbers < (1, 2) else numbers)
    if numbers >= mended:
        return []
    faults = [name for first, name in _OLD_FAULTS if numbers < first] + ["CVE-2025-31133"]
    fact = f"{found[0]} is older than the versions that fix {', '.join(faults)}"
    return [f"{fact}: use one that your distribution has fixed, or crun"]


def find_runtime(
    wanted: str | None, *, recorded: str, environment: Mapping[str, str], configured: str = ""
) -> Runtime:
    """Return the runtime: as asked for, as recorded, as RUNTIME or the configuration says, else crun or runc.

    Raises SystemFaultError, naming the package to install, when it is not there.
    """
    named = wanted or recorded or environment.get("RUNTIME") or configured
    candidates = (named,) if named else PREFERRED
    for candidate in candidates:
        found = process.find_program(candidate)
        if found:
            return Runtime(found)
    if named:
        raise SystemFaultError(
            f"the OCI runtime {named} is not installed",
            hint=f"install the package {Path(named).name}"
            if Path(named).name in PREFERRED
            else "choose another with --runtime",
        )
    raise SystemFaultError("no OCI runtime is installed", hint="install the package crun or runc")
