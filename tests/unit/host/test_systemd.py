"""What systemctl says, read; and how it fails, told."""

import shlex
from pathlib import Path

import pytest

from os_containers.errors import ProcessError, SystemFaultError
from os_containers.host.runtime import find_runtime
from os_containers.host.systemd import Systemctl, UnitState, parse_states
from os_containers.paths import Mode

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


def shim(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


@pytest.mark.parametrize(
    "said",
    [
        "Failed to connect to bus: No medium found",
        "Failed to connect to user scope bus via local transport: $XDG_RUNTIME_DIR not defined",
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
    ],
)
def test_b90_no_systemd_is_told_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """As in a chroot, or without a user session; systemd 252 and 257 have different words."""
    shim(tmp_path, "systemctl", f"echo {shlex.quote(said)} >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SystemFaultError, match="does not answer") as raised:
        Systemctl(Mode.USER).reload()
    assert "enable-linger" in str(raised.value.hint)


def test_b90_a_failing_systemctl_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the command that failed."""
    shim(tmp_path, "systemctl", "echo first >&2; echo 'Unit is masked.' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ProcessError, match=r"systemctl start -- a\.service: exit code 1: Unit is masked\."):
        Systemctl(Mode.SYSTEM).start("a.service")


def test_b91_the_runtime_asked_for_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the recorded one, then RUNTIME, then crun before runc."""
    for name in ("crun", "runc", "other"):
        shim(tmp_path, name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = {"RUNTIME": "runc"}
    found = [
        find_runtime("other", recorded="crun", environment=environment),
        find_runtime(None, recorded="crun", environment=environment),
        find_runtime(None, recorded="", environment=environment),
        find_runtime(None, recorded="", environment={}),
    ]
    assert [one.path.name for one in found] == ["other", "crun", "runc", "crun"]


@pytest.mark.parametrize("wanted", [None, "runc", "/nowhere/runc"])
def test_b91_a_missing_runtime_names_the_package(
    wanted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was asked for or not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemFaultError, match="installed") as raised:
        find_runtime(wanted, recorded="", environment={})
    assert "runc" in str(raised.value.hint)
