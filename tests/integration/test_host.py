"""The ground that the other integration tests stand on."""

import json

import pytest

from testhost.hello import HelloImage
from testhost.machine import Host
from testhost.registry import PASSWORD, PLAIN, TLS, USER, WITH_PASSWORD, Registry

CONTAINER_UNIT = """\
[Service]
Delegate=yes
ExecStart={runtime} run --bundle /srv/{name} {name}
"""


def runtime_config(name: str) -> str:
    """Return the smallest configuration that runs `sleep` in the unit's own control group."""
    return json.dumps(
        {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["sleep", "infinity"],
                "env": ["PATH=/bin"],
                "cwd": "/",
            },
            "root": {"path": "rootfs", "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            ],
            "linux": {
                "cgroupsPath": f"/system.slice/{name}.service/container",
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            },
        }
    )


def test_the_host_has_booted_without_a_failed_unit(host: Host) -> None:
    assert host.run(["systemctl", "is-system-running"]).stdout == "running\n"


def test_both_names_of_the_program_are_installed(host: Host) -> None:
    for name in ("os-containers", "os-container"):
        assert host.run([name, "--version"]).stdout.startswith("os-containers ")


@pytest.mark.parametrize(
    ("address", "options"),
    [
        (PLAIN, ["--tls-verify=false"]),
        (TLS, []),
        (WITH_PASSWORD, ["--tls-verify=false", f"--creds={USER}:{PASSWORD}"]),
    ],
)
def test_the_registry_answers_on_each_address(
    host: Host, registry: Registry, address: str, options: list[str]
) -> None:
    with HelloImage("1").layout(host) as layout:
        registry.push(layout, "smoke:1")
    inspected = json.loads(host.run(["skopeo", "inspect", *options, f"docker://{address}/smoke:1"]).stdout)
    assert inspected["Labels"] == {"version": "1"}


def test_a_runtime_runs_a_container_in_the_control_group_of_its_unit(host: Host, runtime: str) -> None:
    name = f"smoke-{runtime}"
    unit = f"/run/systemd/system/{name}.service"
    host.write(f"/srv/{name}/config.json", runtime_config(name))
    host.run(f"mkdir -p /srv/{name}/rootfs/bin && cp /bin/busybox /srv/{name}/rootfs/bin/sleep")
    host.run(f"mkdir -p /srv/{name}/rootfs/proc /srv/{name}/rootfs/dev")
    host.write(unit, CONTAINER_UNIT.format(runtime=f"/usr/bin/{runtime}", name=name))
    host.run(f"systemctl daemon-reload && systemctl start {name}")
    try:
        group = f"/sys/fs/cgroup/system.slice/{name}.service/container/cgroup.procs"
        # before it becomes the service, there are processes of the runtime
        sleeping = f"for pid in $(cat {group}); do grep --text --quiet ^sleep /proc/$pid/cmdline; done"
        host.run(f"until grep --quiet . {group} && {sleeping}; do sleep 0.05; done", timeout=10)
    finally:
        host.run(
            f"systemctl kill --signal=KILL {name}; {runtime} delete --force {name}; rm -r {unit} /srv/{name}",
            check=False,
        )
        host.run("systemctl daemon-reload; systemctl reset-failed")


def test_a_user_has_a_service_manager_of_their_own(host: Host, user: str) -> None:
    assert host.run(["systemctl", "--user", "is-system-running"], user=user).stdout == "running\n"


def test_a_command_can_run_on_a_terminal(host: Host, user: str) -> None:
    assert host.run_on_terminal("tty; exit 3", user=user) == (3, "/dev/pts/1\r\n")
