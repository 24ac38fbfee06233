"""Why a service did not start, as systemd knows it beside what the service said itself; pure."""

import signal

from os_containers.host.unit_state import UnitState

_SIGNALLED = frozenset({"signal", "core-dump"})
_FACTS = {
    "protocol": "it ended before it reported that it was ready",
    "watchdog": "it did not report to systemd within WatchdogSec=",
    "oom-kill": "it was killed because memory ran out",
    "start-limit-hit": "it was started too often (StartLimitBurst=)",
    "resources": "systemd could not set up what its unit asks for",
    "exec-condition": "ExecCondition= of its unit is not met",
}


def why_not_started(unit: UnitState, said: str, *, told: str = "") -> str:
    """Return why, with the last words of the service; empty when nobody knows.

    They come last where systemd knows more: a service that is ended from outside talks of its end alone. What
    systemctl told counts when the service was not even tried.
    """
    if told and unit.result == "success":
        return said or told
    fact = _fact(unit)
    if fact:
        return f"{fact}; its last words: {said}" if said else fact
    return said or (f"it ended with exit code {unit.status}" if unit.status else told)


def _fact(unit: UnitState) -> str:
    if unit.result == "timeout":
        return _timed_out(unit)
    if unit.result in _SIGNALLED:
        return f"it was killed by {_signal_name(unit.status)}"
    if unit.active == "inactive" and not unit.was_run:
        return "a condition of its unit is not met"
    if unit.active == "inactive" and unit.result == "success":
        return "it ended at once, without an error"
    return _FACTS.get(unit.result, "")


def _timed_out(unit: UnitState) -> str:
    limit = f"TimeoutStartSec={unit.start_timeout}" if unit.start_timeout else "TimeoutStartSec="
    if unit.type.startswith("notify"):
        return f"it did not report that it was ready within {limit}"
    return f"it was not up within {limit}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a signal"
