"""What systemd knows of a start that failed comes before what the service said at its end."""

import pytest

from os_containers.host.start_failure import why_not_started
from os_containers.host.unit_state import UnitState, parse_states

TIMED_OUT = """\
Result=timeout
ActiveState=failed
ExecMainStatus=0
Type={}
TimeoutStartUSec=8s
"""


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("notify", "it did not report that it was ready within TimeoutStartSec=8s"),
        ("oneshot", "it was not up within TimeoutStartSec=8s"),
    ],
)
def test_a_start_that_timed_out_is_not_explained_by_a_farewell(kind: str, fact: str) -> None:
    """And what the service said last."""
    (unit,) = parse_states(TIMED_OUT.format(kind))
    assert why_not_started(unit, "no disk") == f"{fact}; its last words: no disk"
    assert why_not_started(unit, "") == fact


@pytest.mark.parametrize(
    ("unit", "said", "why"),
    [
        (UnitState(active="failed", result="exit-code", status=3), "no such port", "no such port"),
        (UnitState(active="failed", result="exit-code", status=3), "", "it ended with exit code 3"),
        (UnitState(active="failed", result="signal", status=9), "", "it was killed by SIGKILL"),
        (UnitState(active="failed", result="core-dump", status=11), "", "it was killed by SIGSEGV"),
        (UnitState(active="failed", result="signal", status=99), "", "it was killed by a signal"),
        (UnitState(active="failed", result="oom-kill"), "", "it was killed because memory ran out"),
        (UnitState(), "", "it ended at once, without an error"),
        (UnitState(was_run=False), "", "a condition of its unit is not met"),
        (UnitState(active="active", restarts=1), "bad port", "bad port"),
        (UnitState(active="failed", result="of-a-later-systemd"), "", ""),
    ],
)
def test_what_systemd_knows_comes_first(unit: UnitState, said: str, why: str) -> None:
    """But an exit code says less than what the service wrote before it."""
    assert why_not_started(unit, said) == why


def test_a_service_that_was_not_tried_is_explained_by_systemctl() -> None:
    """Another unit that it needs did not start."""
    told = "A dependency job for app.service failed."
    assert why_not_started(UnitState(was_run=False), "", told=told) == told
