"""What systemd knows of a unit, read from what `systemctl show` and `list-units` print; pure."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

STATE_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "ActiveEnterTimestampMonotonic",
    "StateChangeTimestampMonotonic",
    "ExecMainStatus",
    "Result",
    "ConditionResult",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
    "Type",
    "UnitFileState",
    "NeedDaemonReload",
    "Job",
)
USAGE_PROPERTIES = ("MemoryCurrent", "CPUUsageNSec", "TasksCurrent")
# With what a program ends that was asked to: 128 + SIGHUP, SIGINT, SIGQUIT, SIGTERM; a failure to systemd.
_ENDED = frozenset({129, 130, 131, 143})
_NOT_COUNTED = 2**64 - 1
_TRIED_AGAIN = frozenset({"auto-restart", "auto-restart-queued"})


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
    # what became of it when it was run last, "success" too while it runs
    result: str = "success"
    was_run: bool = True
    # as systemd shows them: "1min 30s", "infinity"
    start_timeout: str = ""
    stop_timeout: str = ""
    enabled: str = ""
    needs_reload: bool = False
    # it is being started or stopped, or will be
    has_job: bool = False

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


class _ListedUnit(msgspec.Struct, frozen=True):
    unit: str
    description: str | None


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


def parse_scopes(listed: str) -> dict[str, str]:
    """Return the descriptions in what `systemctl list-units --output=json` prints, by names of scopes."""
    units: list[_ListedUnit] = []
    # nothing, where systemd did not answer
    with contextlib.suppress(msgspec.DecodeError):
        units = msgspec.json.decode(listed, type=list[_ListedUnit])
    return {one.unit.removesuffix(".scope"): one.description or "" for one in units}


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
        result=block.get("Result", ""),
        was_run=block.get("ConditionResult") != "no",
        start_timeout=block.get("TimeoutStartUSec", ""),
        stop_timeout=block.get("TimeoutStopUSec", ""),
        enabled=block.get("UnitFileState", ""),
        needs_reload=block.get("NeedDaemonReload") == "yes",
        has_job=block.get("Job", "0") not in {"", "0"},
    )
