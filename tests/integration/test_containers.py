"""The life of containers on a real systemd with real runtimes."""

import json
from collections.abc import Callable

import pytest

from testhost.hello import NEVER_READY, SERVICE, WAITS, HelloImage, start_hello
from testhost.inventory import differences, list_files
from testhost.machine import Host, Result

STORE = "/var/lib/containers/atomic"
TEMPLATED = {
    "/exports/manifest.json": '{"version": "1.0", "defaultValues": {"GREETING": "hello"},'
    ' "installedFilesTemplate": ["/etc/hello/hello.conf"]}',
    "/exports/hostfs/etc/hello/hello.conf": "greeting=$GREETING\n",
    "/exports/hostfs/usr/local/bin/hello-version": "version 1\n",
}
Push = Callable[[HelloImage, str], str]


def os_containers(host: Host, arguments: str, **options: bool) -> Result:
    return host.run(f"os-containers {arguments}", **options)


def install(host: Host, image: str, *, options: str = "") -> None:
    os_containers(host, f"install --insecure --name hello {options} {image}")


def pull(host: Host, image: str) -> None:
    os_containers(host, f"pull --insecure {image}")


def journal(host: Host) -> str:
    host.run("journalctl --sync")
    return host.run("journalctl --unit hello --output cat --no-pager").stdout


def state(host: Host) -> dict[str, str]:
    """Return what the admin sees of the service."""
    shown = host.run(
        "systemctl show hello --property="
        "ActiveState,SubState,NRestarts,UnitFileState,ControlGroup,InvocationID,MainPID"
    ).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def version(host: Host) -> str:
    return host.run(f"cat {STORE}/hello/rootfs/version").stdout


def test_a_container_lives_on_through_its_deployments(host: Host, push_hello: Push, runtime: str) -> None:
    """Install, start, update, roll back twice, uninstall; running and enabled stay as they were."""
    image = push_hello(HelloImage("1"), "hello:latest")
    install(host, image, options=f"--runtime {runtime}")
    assert state(host)["ActiveState"] == "inactive"
    assert state(host)["UnitFileState"] == "enabled"
    start_hello(host)
    push_hello(HelloImage("2"), "hello:latest")
    pull(host, image)
    os_containers(host, "update hello")
    assert version(host) == "2"
    os_containers(host, "rollback hello")
    assert version(host) == "1"
    os_containers(host, "rollback hello")
    assert version(host) == "2"
    assert state(host)["ActiveState"] == "active"
    assert state(host)["UnitFileState"] == "enabled"
    (listed,) = json.loads(os_containers(host, "containers list --json").stdout)
    assert (listed["name"], listed["state"]) == ("hello", "running")
    assert listed["runtime"].endswith(f"/{runtime}")
    said = journal(host)
    assert said.rfind("version 1") > said.find("version 2")
    os_containers(host, "uninstall hello")
    assert host.run("systemctl status hello", check=False).returncode == 4
    assert os_containers(host, "containers list --all --json").stdout.strip() == "[]"


def test_the_processes_are_in_the_units_own_cgroup(host: Host, push_hello: Push, runtime: str) -> None:
    """So systemctl status shows them, and the unit's limits hold them."""
    install(host, push_hello(HelloImage("1"), "hello:latest"), options=f"--runtime {runtime}")
    start_hello(host)
    cgroup = state(host)["ControlGroup"]
    assert cgroup == "/system.slice/hello.service"
    inside = host.run(f"cat /sys/fs/cgroup{cgroup}/container/cgroup.procs").stdout.split()
    assert host.run(f"cat /proc/{inside[0]}/comm").stdout.strip() == "hello"
    assert "/bin/hello" in host.run("systemctl status hello --no-pager").stdout


def test_update_keeps_a_stopped_and_disabled_service_so(host: Host, push_hello: Push) -> None:
    """The admin decides."""
    image = push_hello(HelloImage("1"), "hello:latest")
    install(host, image)
    host.run("systemctl disable hello")
    push_hello(HelloImage("2"), "hello:latest")
    os_containers(host, "update --pull --insecure hello")
    assert version(host) == "2"
    assert (state(host)["ActiveState"], state(host)["UnitFileState"]) == ("inactive", "disabled")


def test_b104_update_without_news_changes_nothing(host: Host, push_hello: Push) -> None:
    """Not even the running process."""
    install(host, push_hello(HelloImage("1"), "hello:latest"))
    start_hello(host)
    before, files = state(host), list_files(host.root)
    said = os_containers(host, "update hello").stdout
    assert said == "Latest version already deployed; --pull asks the registry\n"
    assert state(host) == before
    changed = [line for line in differences(files, list_files(host.root)) if "/.locks" not in line]
    assert changed == []


def test_a_changed_value_is_a_new_deployment(host: Host, push_hello: Push) -> None:
    """A value that was set stays over updates, a default is the new image's."""
    image = push_hello(HelloImage("1", files=TEMPLATED), "hello:latest")
    install(host, image)
    assert host.read("/etc/hello/hello.conf") == "greeting=hello\n"
    os_containers(host, "update --set GREETING=hi hello")
    assert host.read("/etc/hello/hello.conf") == "greeting=hi\n"
    newer = TEMPLATED | {
        "/exports/manifest.json": TEMPLATED["/exports/manifest.json"].replace('hello"}', 'hey"}')
    }
    push_hello(HelloImage("2", files=newer), "hello:latest")
    os_containers(host, "update --pull --insecure hello")
    assert host.read("/etc/hello/hello.conf") == "greeting=hi\n"
    os_containers(host, "rollback hello")
    assert host.read("/etc/hello/hello.conf") == "greeting=hi\n"


def test_b106_an_update_after_a_rollback_works_on_what_is_deployed(host: Host, push_hello: Push) -> None:
    """The version that was left is newer than the one that runs, so there is news."""
    image = push_hello(HelloImage("1"), "hello:latest")
    install(host, image)
    push_hello(HelloImage("2"), "hello:latest")
    os_containers(host, "update --pull --insecure hello")
    os_containers(host, "rollback hello")
    os_containers(host, "update hello")
    assert version(host) == "2"
    os_containers(host, "rollback hello")
    assert version(host) == "1"


@pytest.mark.parametrize(
    ("service", "unit", "why"),
    [
        ("#!/bin/sh\necho broken >&2\nexit 3\n", {}, "broken"),
        ("#!/bin/sh\nsleep 0.1\necho broken >&2\nexit 3\n", {}, "broken"),
        (
            WAITS,
            NEVER_READY,
            "it did not report that it was ready within TimeoutStartSec=4s; its last words: no database yet",
        ),
    ],
    ids=["at-once", "soon", "never-ready"],
)
def test_b90_an_update_that_does_not_start_goes_back(
    host: Host, push_hello: Push, service: str, unit: dict[str, str], why: str
) -> None:
    """The old version runs again, unit, host files and enabled as before; exit code 9 and the reason."""
    image = push_hello(HelloImage("1", files=TEMPLATED), "hello:latest")
    install(host, image)
    start_hello(host)
    files = list_files(host.tree)
    newer = TEMPLATED | {"/exports/hostfs/usr/local/bin/hello-version": "version 2\n"} | unit
    push_hello(HelloImage("2", files=newer, executables={"/bin/hello": service}), "hello:latest")
    pull(host, image)
    failed = os_containers(host, "update hello", check=False)
    assert failed.returncode == 9
    assert f"error: hello.service did not start: {why}\n" in failed.stderr
    waited = "waiting for systemd to start hello.service; TimeoutStartSec=4s\n"
    assert (waited in failed.stderr) is bool(unit)
    assert version(host) == "1"
    assert (state(host)["ActiveState"], state(host)["UnitFileState"]) == ("active", "enabled")
    changed = [
        line for line in differences(files, list_files(host.tree)) if "/var/lib/containers/" not in line
    ]
    assert changed == []
    assert host.run(f"ls {STORE}/.deploy/hello").stdout.split() == ["1"]


CRASHING = "#!/bin/sh\nsleep 0.1\nexit 3\n"
UNIT = """\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre={}
ExecStart=$EXEC_START
ExecStopPost=$EXEC_STOPPOST
Restart={}
RestartSec=100ms
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.parametrize("restart", ["always", "no"])
@pytest.mark.parametrize("newer", [SERVICE, CRASHING], ids=["mended", "not-mended"])
def test_an_update_mends_a_service_that_has_failed(
    host: Host, push_hello: Push, restart: str, newer: str
) -> None:
    """It is started although it did not run; when the newer one fails, too, the one from before is back."""
    unit = {"/exports/service.template": UNIT.format("$EXEC_STARTPRE", restart)}
    image = push_hello(HelloImage("1", files=unit, executables={"/bin/hello": CRASHING}), "hello:latest")
    install(host, image)
    restarts = "systemctl show --property=NRestarts --value hello"
    failed = f"systemctl is-failed --quiet hello || [ $({restarts}) != 0 ]"
    host.run(f"systemctl start hello; until {failed}; do sleep 0.1; done", timeout=30)
    push_hello(HelloImage("2", files=unit, executables={"/bin/hello": newer}), "hello:latest")
    pull(host, image)
    done = os_containers(host, "update hello", check=False)
    is_mended = newer == SERVICE
    assert done.returncode == (0 if is_mended else 9), done.stderr
    assert host.read(f"{STORE}/hello/rootfs/version") == ("2" if is_mended else "1")
    if is_mended:
        assert (state(host)["SubState"], state(host)["NRestarts"]) == ("running", "0")
    else:
        assert "it had failed before, too" in done.stderr
        host.run(f"until {failed}; do sleep 0.1; done", timeout=30)
        assert (state(host)["ActiveState"] == "failed") is (restart == "no")
    assert host.run("os-containers check --json").stdout.strip() == "[]"


def test_a_failed_install_leaves_nothing(host: Host, push_hello: Push) -> None:
    """A variable without a value, in a template that comes late."""
    broken = TEMPLATED | {"/exports/hostfs/etc/hello/hello.conf": "x=$MISSING\n"}
    image = push_hello(HelloImage("1", files=broken), "hello:latest")
    before = list_files(host.root)
    failed = os_containers(host, f"install --insecure --name hello {image}", check=False)
    assert failed.returncode == 2
    assert "no value for MISSING (exports/hostfs/etc/hello/hello.conf:1)" in failed.stderr
    changed = [
        line for line in differences(before, list_files(host.root)) if "/var/lib/containers/" not in line
    ]
    assert changed == []
    assert host.run(f"ls {STORE} {STORE}/.staging").stdout.split() == [f"{STORE}:", f"{STORE}/.staging:"]


@pytest.mark.parametrize("name", ["dbus", "systemd-journald", "getty@tty1", "dbus-org.freedesktop.login1"])
def test_b64_a_unit_of_the_hosts_own_is_never_replaced(host: Host, push_hello: Push, name: str) -> None:
    """Nor is an alias of one, or an instance."""
    image = push_hello(HelloImage("1"), "hello:latest")
    failed = os_containers(host, f"install --insecure --name {name} {image}", check=False)
    assert failed.returncode in {2, 6}
    assert not host.exists(f"{STORE}/{name}")


def test_an_existing_container_is_not_installed_again(host: Host, push_hello: Push) -> None:
    """The error says what one probably wanted."""
    image = push_hello(HelloImage("1"), "hello:latest")
    install(host, image)
    failed = os_containers(host, f"install --insecure {image}", check=False)
    assert failed.returncode == 6
    assert "hint: os-containers update hello" in failed.stderr


def test_b68_b76_what_the_admin_has_is_kept(host: Host, push_hello: Push) -> None:
    """A file from before is never ours; an edited one stays, with the new version beside it."""
    host.write("/usr/local/bin/hello-version", "the admin's\n")
    image = push_hello(HelloImage("1", files=TEMPLATED), "hello:latest")
    install(host, image)
    host.write("/etc/hello/hello.conf", "edited\n")
    newer = TEMPLATED | {"/exports/hostfs/etc/hello/hello.conf": "# new\ngreeting=$GREETING\n"}
    push_hello(HelloImage("2", files=newer), "hello:latest")
    os_containers(host, "update --pull --insecure hello")
    assert host.read("/etc/hello/hello.conf") == "edited\n"
    assert host.read("/etc/hello/hello.conf.os-containers-new") == "# new\ngreeting=hello\n"
    os_containers(host, "rollback hello")
    assert not host.exists("/etc/hello/hello.conf.os-containers-new")
    said = os_containers(host, "uninstall hello").stderr
    assert "kept /etc/hello/hello.conf" in said
    assert host.read("/etc/hello/hello.conf") == "edited\n"
    assert host.read("/usr/local/bin/hello-version") == "the admin's\n"
    host.run("rm -r /etc/hello /usr/local/bin/hello-version")


def test_b75_a_host_file_belongs_to_one_container(host: Host, push_hello: Push) -> None:
    """The second is refused, and says whose it is."""
    image = push_hello(HelloImage("1", files=TEMPLATED), "hello:latest")
    install(host, image)
    failed = os_containers(host, f"install --name other {image}", check=False)
    assert failed.returncode == 6
    assert "belongs to the container hello" in failed.stderr
    assert not host.exists(f"{STORE}/other")


def test_a_container_without_a_service_is_only_there(host: Host, push_hello: Push) -> None:
    """noContainerService: host files and a rootfs, no unit."""
    files = TEMPLATED | {"/exports/manifest.json": '{"noContainerService": true}'}
    files["/exports/hostfs/etc/hello/hello.conf"] = "x\n"
    install(host, push_hello(HelloImage("1", files=files), "hello:latest"))
    assert not host.exists("/etc/systemd/system/hello.service")
    (listed,) = json.loads(os_containers(host, "containers list --all --json").stdout)
    assert listed["state"] == "no service"
    push_hello(HelloImage("2", files=files), "hello:latest")
    os_containers(host, "update --pull --insecure hello")
    os_containers(host, "rollback hello")
    os_containers(host, "uninstall hello")
    assert not host.exists("/etc/hello")


def test_a_pid_file_means_a_unit_of_type_forking(host: Host, push_hello: Push, runtime: str) -> None:
    """As the predecessors' images have it."""
    unit = (
        "[Service]\nType=forking\nPIDFile=$PIDFILE\nExecStart=$EXEC_START\nExecStop=$EXEC_STOP\n"
        "ExecStopPost=$EXEC_STOPPOST\nWorkingDirectory=$DESTDIR\n[Install]\nWantedBy=multi-user.target\n"
    )
    image = push_hello(HelloImage("1", files={"/exports/service.template": unit}), "hello:latest")
    install(host, image, options=f"--runtime {runtime}")
    start_hello(host)
    main = state(host)["MainPID"]
    assert host.run(f"cat /proc/{main}/comm").stdout.strip() == "hello"
    host.run("systemctl restart hello")
    host.run("systemctl stop hello")
    assert state(host)["ActiveState"] == "inactive"


def test_a_killed_runtime_does_not_stop_the_next_start(host: Host, push_hello: Push, runtime: str) -> None:
    """What it left behind is cleaned up by the unit."""
    install(host, push_hello(HelloImage("1"), "hello:latest"), options=f"--runtime {runtime}")
    start_hello(host)
    host.run("systemctl kill --signal=KILL hello")
    host.run("systemctl reset-failed hello; systemctl restart hello")
    assert state(host)["ActiveState"] == "active"


def test_the_unit_stops_with_the_images_signal(host: Host, push_hello: Push, runtime: str) -> None:
    """The service hears SIGINT, and ends by itself."""
    service = SERVICE.replace("TERM", "INT").replace("goodbye", "interrupted")
    image = HelloImage("1", executables={"/bin/hello": service}, config={"StopSignal": "SIGINT"})
    install(host, push_hello(image, "hello:latest"), options=f"--runtime {runtime}")
    start_hello(host)
    host.run("systemctl stop hello")
    assert "interrupted" in journal(host)


def test_b91_a_missing_runtime_names_its_package(host: Host, push_hello: Push) -> None:
    """And nothing was changed."""
    image = push_hello(HelloImage("1"), "hello:latest")
    failed = os_containers(host, f"install --runtime kata --insecure {image}", check=False)
    assert failed.returncode == 8
    assert failed.stderr.splitlines() == [
        "error: the OCI runtime kata is not installed",
        "hint: choose another with --runtime",
    ]
