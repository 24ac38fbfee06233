"""What systemctl says, read."""

import pytest

from os_containers.host.unit_state import UnitState, parse_scopes, parse_states

SHOWN = """\
Type=notify
NRestarts=0
Result=success
ControlGroup=/system.slice/etcd.service
Id=etcd.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Id=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
Result=success
UnitFileState=
"""


def test_parse_states_reads_all_units() -> None:
    """The blocks come in any order, with any properties."""
    running, gone = parse_states(SHOWN)
    assert running == UnitState(
        load="loaded", active="active", sub="running", type="notify", enabled="enabled"
    )
    assert running.is_running
    assert running.is_enabled
    assert gone.load == "not-found"
    assert not gone.is_running


def test_a_unit_that_is_to_be_stopped_has_a_job() -> None:
    """Although it runs still; where there is none, systemctl shows 0, or nothing."""
    shown = "ActiveState=active\nJob=1072\n\nActiveState=active\nJob=0\n\nActiveState=active\n"
    assert [state.has_job for state in parse_states(shown)] == [True, False, False]


@pytest.mark.parametrize(
    ("state", "failed"),
    [
        (UnitState(active="active", sub="running"), False),
        (UnitState(active="failed"), True),
        (UnitState(active="activating", sub="auto-restart"), True),
        (UnitState(active="active", sub="running", restarts=1), True),
    ],
)
def test_a_service_that_restarts_has_failed(state: UnitState, failed: bool) -> None:  # noqa: FBT001
    """A unit with Restart=always never reads failed."""
    assert state.has_failed is failed


@pytest.mark.parametrize(
    ("state", "failed"),
    [
        (UnitState(active="active", sub="running", restarts=3, active_since=100.0), False),
        (UnitState(active="active", sub="running", restarts=3, active_since=101.0), True),
        (UnitState(active="active", sub="running", active_since=101.0), False),
        (UnitState(active="failed", active_since=1.0), True),
        (UnitState(active="activating", sub="auto-restart-queued", active_since=1.0), True),
    ],
)
def test_a_service_that_came_back_long_ago_is_sound(state: UnitState, failed: bool) -> None:  # noqa: FBT001
    """One that crashes again and again may be up at this moment."""
    assert state.has_failed_since(100.0) is failed


@pytest.mark.parametrize(
    ("state", "meant"),
    [
        (UnitState(active="active", sub="running"), True),
        (UnitState(active="activating", sub="auto-restart"), True),
        (UnitState(active="failed", status=1), True),
        (UnitState(active="failed", status=143), False),
        (UnitState(active="inactive"), False),
    ],
)
def test_a_service_that_failed_is_meant_to_run(state: UnitState, meant: bool) -> None:  # noqa: FBT001
    """Unless it failed by ending as it was asked to, with 128 + SIGTERM."""
    assert state.is_meant_to_run is meant


def test_scopes_are_read_with_their_descriptions() -> None:
    """Of what systemctl says where there is no systemd, nothing."""
    listed = (
        '[{"unit":"hello-0a1b2c3d.scope","load":"loaded","sub":"running","description":"a b"},'
        '{"unit":"init.scope","load":"loaded","sub":"running","description":null}]\n'
    )
    assert parse_scopes(listed) == {"hello-0a1b2c3d": "a b", "init": ""}
    assert parse_scopes("") == {}
