"""What systemctl says, read; and how it fails, told."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from os_containers.errors import ImageError, ProcessError, SystemFaultError
from os_containers.host.runtime import find_runtime, known_faults
from os_containers.host.systemd import TIMEOUT, Systemctl, UnitState, parse_states, unit_faults
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


def test_the_version_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a service is stopped: it is needed while the service is away."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    shim(tmp_path, "systemctl", "echo '257.9-1~deb13u1'")
    services = Systemctl(Mode.SYSTEM)
    assert services.version() == 257
    shim(tmp_path, "systemctl", "exit 1")
    assert services.version() == 257


@pytest.mark.parametrize(
    ("program", "call"),
    [
        ("systemctl", Systemctl.reload),
        ("systemd-analyze", Systemctl.unit_paths),
        ("systemd-tmpfiles", lambda services: services.create_tmpfiles(Path("/run/a.conf"))),
    ],
)
def test_b90_a_systemd_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, call: Callable[[Systemctl], object]
) -> None:
    """90 seconds are enough for any answer; one that comes within the time is taken."""
    assert Systemctl(Mode.SYSTEM).timeout == TIMEOUT == 90
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    shim(tmp_path, program, "sleep 0.1")
    call(Systemctl(Mode.SYSTEM, timeout=10))
    shim(tmp_path, program, "exec sleep 60")
    before = time.monotonic()
    with pytest.raises(SystemFaultError, match=r"did not end within 0\.2 seconds"):
        call(Systemctl(Mode.SYSTEM, timeout=0.2))
    assert time.monotonic() - before < 10


def test_b91_the_runtime_asked_for_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the recorded one, then RUNTIME, then what the configuration says, then crun before runc."""
    for name in ("crun", "runc", "other"):
        shim(tmp_path, name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = {"RUNTIME": "runc"}
    found = [
        find_runtime("other", recorded="crun", environment=environment),
        find_runtime(None, recorded="crun", environment=environment),
        find_runtime(None, recorded="", environment=environment),
        find_runtime(None, recorded="", environment=environment, configured="other"),
        find_runtime(None, recorded="", environment={}, configured="other"),
        find_runtime(None, recorded="", environment={}),
    ]
    assert [one.path.name for one in found] == ["other", "crun", "runc", "runc", "other", "crun"]


@pytest.mark.parametrize("wanted", [None, "runc", "/nowhere/runc"])
def test_b91_a_missing_runtime_names_the_package(
    wanted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was asked for or not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemFaultError, match="installed") as raised:
        find_runtime(wanted, recorded="", environment={})
    assert "runc" in str(raised.value.hint)


SAID = """\
/d/1/etcd.service:9: Unknown key 'Foo' in section [Service], ignoring.
/d/1/etcd.service:10: Unit uses KillMode=none. This is unsafe, and so on. Support is deprecated.
/usr/lib/systemd/system/dbus.service:3: Unknown section 'Bogus'. Ignoring.
/d/1/etcd.service:11: Unknown section 'deprecated'. Ignoring.
etcd.service: Failed to create etcd.service/start: Unit docker.service not found.
etcd.service: Command /nonexistent/bin/crun is not executable: No such file or directory
etcd.service: Service has more than one ExecStart= setting. Refusing.
Unit etcd.service has a bad unit file setting.
"""


def test_b57_unit_faults_are_those_of_the_unit_itself() -> None:
    """A program and a unit may come later, another unit may be wrong, and what works is no fault."""
    assert unit_faults(SAID, Path("/d/1/etcd.service")) == [
        "etcd.service:9: Unknown key 'Foo' in section [Service], ignoring.",
        "etcd.service:11: Unknown section 'deprecated'. Ignoring.",
        "etcd.service: Service has more than one ExecStart= setting. Refusing.",
    ]


GOOD_UNIT = """\
[Unit]
Description=etcd
Documentation=man:nothing(5) https://example.org
After=not-there.service
Wants=not-there.service
Requires=not-there-either.service
[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=/etc/sysconfig/not-there
SELinuxContext=system_u:system_r:container_runtime_t:s0
ExecStart=/not/there/crun run etcd
StandardOutput=syslog
PIDFile=/var/run/x.pid
KillMode=none
LimitNOFILE=1048576
RuntimeDirectory=etcd
StartLimitInterval=0
[Install]
WantedBy=multi-user.target
RequiredBy=not-there.service
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("KillMode=none", "Foo=bar", "Unknown key"),
        ("[Install]", "[Bogus]", "Unknown section"),
        ("KillMode=none", "Restart=sometimes", "Failed to parse"),
        ("KillMode=none", "no setting", "Missing '='"),
        ("[Unit]", "Before=everything", "Assignment outside of section"),
        ("KillMode=none", "ExecStart=/a/second", "Refusing"),
        ("ExecStart=/not", "ExecStart=not", "Neither a valid executable name"),
    ],
)
def test_b57_systemd_verifies_a_unit(tmp_path: Path, old: str, new: str, said: str) -> None:
    """It is asked itself, and what it would ignore is refused."""
    (tmp_path / "etcd.service").write_text(GOOD_UNIT.replace(old, new, 1))
    with pytest.raises(ImageError, match=said) as raised:
        Systemctl(Mode.SYSTEM).verify_unit(tmp_path / "etcd.service")
    assert raised.value.message.startswith("the unit of the image is refused: etcd.service")


@pytest.mark.parametrize("mode", list(Mode))
def test_b57_systemd_verifies_what_real_images_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Programs, units and files that are not there yet, and what is obsolete but works."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "etcd.service").write_text(GOOD_UNIT)
    Systemctl(mode).verify_unit(tmp_path / "etcd.service")


def test_b64_unit_paths_are_where_systemd_looks() -> None:
    """The admin's first, the distribution's last."""
    paths = Systemctl(Mode.SYSTEM).unit_paths()
    assert paths.index(Path("/etc/systemd/system")) < paths.index(Path("/run/systemd/generator"))
    assert Path("/run/systemd/transient") in paths


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        ("1.0.0-rc6", ["CVE-2019-5736", "CVE-2021-30465", "CVE-2024-21626", "CVE-2025-31133"]),
        ("1.0.0~rc93+ds1", ["CVE-2021-30465", "CVE-2024-21626", "CVE-2025-31133"]),
        ("1.0.0-rc95", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("1.1.5+ds1", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("1.1.12", ["CVE-2025-31133"]),
        ("1.2.7", ["CVE-2025-31133"]),
        ("1.2.8", []),
        ("1.3.2", ["CVE-2025-31133"]),
        ("1.3.3", []),
        ("1.4.0-rc.2", ["CVE-2025-31133"]),
        ("1.4.0-rc.3", []),
        ("1.4.0", []),
        ("2.0.0", []),
    ],
)
def test_cve_2019_5736_cve_2021_30465_cve_2024_21626_cve_2025_31133_cve_2025_52565_cve_2025_52881_old_runc(
    version: str, faults: list[str]
) -> None:
    """Each is named that a version of runc has; the last three were mended together."""
    warnings = known_faults(f"runc version {version}\ncommit: v1\nspec: 1.0.2\n")
    assert len(warnings) == bool(faults)
    for warning in warnings:
        assert f"that mend {', '.join(faults)}: use" in warning


@pytest.mark.parametrize("said", ["", "crun version 1.8.1\n", "runc version unknown\n"])
def test_what_tells_no_version_of_runc_is_not_warned_of(said: str) -> None:
    """Neither crun nor a shim is known to have these."""
    assert known_faults(said) == []
