"""A service manager without systemd, for unit tests; the other seam, an image source, is in images.py."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from os_containers.errors import ImageError, ProcessError
from os_containers.host.unit_state import UnitState, UnitUsage


@dataclass
class FakeServices:
    """Keeps states as systemd would.

    A unit whose text has something of `broken` in it does not start, and such a tmpfiles.d fragment is not
    carried out; a verb in `failing` fails.
    """

    units: Path
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    # those that systemd will try again, some time after they fell over
    waiting: set[str] = field(default_factory=set)
    # those of which systemd has yet to carry out what it was told
    pending: set[str] = field(default_factory=set)
    # with what the processes of those that failed ended
    status: int = 1
    # on the way from one state to another: the word for it
    between: str = ""
    # how long a stop may take
    stop_timeout: str = ""
    # how often those that are active came back by themselves
    restarts: int = 0
    foreign: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    # what systemd would not understand in a unit
    malformed: set[str] = field(default_factory=set)
    # units that it has not loaded as they are by now
    stale: set[str] = field(default_factory=set)
    # a verb, and from which of its calls on it fails
    failing_from: tuple[str, int] | None = None
    on_start: Callable[[], object] = bool
    on_stop: Callable[[], object] = bool
    on_verify: Callable[[], object] = bool
    # the descriptions of scopes, by their names
    described: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def version(self) -> int:
        return 257

    def states(self, units: Iterable[str]) -> dict[str, UnitState]:
        if "show" in self.failing:
            raise ProcessError(["systemctl", "show", *units], 1, "it fails")
        return {unit: self._state(unit) for unit in units}

    def unit_paths(self) -> list[Path]:
        return [self.units, self.units.parent / "vendor-units"]

    def verify_unit(self, path: Path) -> None:
        self.on_verify()
        if any(text in path.read_text() for text in self.malformed):
            raise ImageError(f"systemd does not accept the unit of the image: {path.name}")

    def reload(self) -> None:
        self._call("reload")
        self.stale.clear()

    def enable(self, unit: str) -> None:
        self._call(f"enable {unit}")
        self.enabled.add(unit)

    def reenable(self, unit: str) -> None:
        self._call(f"reenable {unit}")
        if "[Install]" not in (self.units / unit).read_text():
            self.enabled.discard(unit)

    def disable(self, unit: str) -> None:
        self._call(f"disable {unit}")
        self.enabled.discard(unit)

    def start(self, unit: str) -> None:
        self._call(f"start {unit}")
        self.on_start()
        # one that does not start is tried again and again
        self.active.add(unit)
        self.failed.discard(unit)
        self.waiting.discard(unit)
        # one of the distribution's is not looked into
        text = (
            ""
            if unit in self.foreign and not (self.units / unit).exists()
            else (self.units / unit).read_text()
        )
        if any(one in text for one in self.broken):
            raise ProcessError(["systemctl", "start", unit], 1, "it does not start")

    def queue_start(self, unit: str) -> None:
        self._call(f"queue_start {unit}")
        self.active.add(unit)

    def restart(self, unit: str) -> None:
        self.start(unit)

    def reset_failed(self, unit: str) -> None:
        self._call(f"reset_failed {unit}")
        self.failed.discard(unit)

    def stop(self, unit: str) -> None:
        self._call(f"stop {unit}")
        self.active.discard(unit)
        self.failed.discard(unit)
        self.waiting.discard(unit)
        self.pending.discard(unit)
        self.on_stop()

    def create_tmpfiles(self, fragment: Path) -> None:
        self._call(f"create {fragment.name}")
        if any(text in fragment.read_text() for text in self.broken):
            # CANTCREAT, says systemd-tmpfiles(8)
            raise ProcessError(["systemd-tmpfiles", "--create"], 73, "it cannot be made")

    def remove_tmpfiles(self, fragment: Path) -> None:
        self._call(f"remove {fragment.name}")

    def shown(self, program: str, *words: str) -> str:
        return " ".join([program, *words])

    def scope_command(self, name: str, *, description: str = "") -> list[str]:
        self.described[name] = description
        return ["env", f"SCOPE={name}"]

    def scopes(self) -> dict[str, str]:
        return self.described

    def last_log_line(self, unit: str, *, since: float) -> str:  # noqa: ARG002 - the seam's signature
        return f"the last words of {unit}"

    def log_lines(self, unit: str, lines: int) -> list[str]:
        return [f"line {number} of {unit}" for number in range(lines)]

    def journal_command(self, unit: str) -> list[str]:
        return ["echo", unit]

    def usage(self, unit: str) -> UnitUsage:  # noqa: ARG002 - the seam's signature
        return UnitUsage(memory=1 << 20, processor=1.5, tasks=3)

    def log_command(self, unit: str) -> str:
        return f"journalctl --unit {unit}"

    def _call(self, call: str) -> None:
        self.calls.append(call)
        verb = call.partition(" ")[0]
        if self.failing_from and verb == self.failing_from[0]:
            count = sum(one.startswith(verb) for one in self.calls)
            if count >= self.failing_from[1]:
                raise ProcessError(["systemctl", *call.split()], 1, "it fails now")
        if verb in self.failing:
            raise ProcessError(["systemctl", *call.split()], 1, "it fails")

    def _active(self, unit: str) -> str:
        if self.between:
            return self.between
        if unit in self.failed:
            return "failed"
        if unit in self.waiting:
            return "activating"
        return "active" if unit in self.active else "inactive"

    def _sub(self, unit: str) -> str:
        if unit in self.waiting:
            return "auto-restart"
        return "running" if unit in self.active else "dead"

    def _enabled(self, unit: str) -> str:
        path = self.units / unit
        if unit in self.enabled:
            return "enabled"
        return "static" if path.is_file() and "[Install]" not in path.read_text() else "disabled"

    def _state(self, unit: str) -> UnitState:
        if unit not in self.foreign and not (self.units / unit).exists():
            return UnitState()
        if (self.units / unit).is_symlink():
            return UnitState(load="masked", enabled="masked")
        return replace(
            UnitState(load="loaded", type="notify"),
            active=self._active(unit),
            status=self.status if unit in self.failed else 0,
            sub=self._sub(unit),
            enabled=self._enabled(unit),
            stop_timeout=self.stop_timeout,
            needs_reload=unit in self.stale,
            has_job=unit in self.pending,
            restarts=self.restarts if unit in self.active else 0,
        )


def shim(directory: Path, name: str, script: str) -> None:
    """Make a program that plays another."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)
