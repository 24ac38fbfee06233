"""How systemctl fails, told; and what systemd says of a unit."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import shim

from os_containers.errors import ImageError, ProcessError, SystemFaultError
from os_containers.host.systemd import TIMEOUT, Systemctl, unit_faults
from os_containers.paths import Mode


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
    assert raised.value.message.startswith("systemd does not accept the unit of the image: etcd.service")


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
