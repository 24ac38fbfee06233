"""OCI runtimes: found, and asked to run what we built. Any that has the command line of runc will do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from os_containers import process
from os_containers.errors import SystemFaultError

PREFERRED = ("crun", "runc")


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

    def run_command(self, container: str, bundle: Path) -> tuple[str, ...]:
        """Return how a bundle is run in the foreground to its end."""
        return self._command("run", "--bundle", str(bundle), container)

    def exec_command(self, container: str, process_file: Path) -> tuple[str, ...]:
        """Return how a process, described as in config.json, is run in a running container.

        By its options alone, crun would not give it the container's directory and noNewPrivileges.
        """
        return self._command("exec", "--process", str(process_file), container)

    def delete(self, container: str) -> None:
        """Remove what the runtime still knows of a container; one that it does not know is fine."""
        process.run(self._command("delete", "--force", container), check=False)

    def _command(self, *words: str) -> tuple[str, ...]:
        return (str(self.path), *words)


def find_runtime(wanted: str | None, *, recorded: str, environment: Mapping[str, str]) -> Runtime:
    """Return the runtime to use: as asked for, as recorded, as RUNTIME says, else crun or runc from PATH.

    Raises SystemFaultError, naming the package to install, when it is not there.
    """
    named = wanted or recorded or environment.get("RUNTIME")
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
            else "give another with --runtime",
        )
    raise SystemFaultError("no OCI runtime is installed", hint="install the package crun or runc")
