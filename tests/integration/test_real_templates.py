"""What the images of real system containers demand, all in one: a network overlay that docker depends on."""

import json
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import HelloImage
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]

UNIT = """\
[Unit]
Description=$NAME from $IMAGE_NAME
After=$AFTER
Before=docker.service

[Service]
EnvironmentFile=-/etc/sysconfig/$NAME
Environment=EMPTY=$EMPTY
RuntimeDirectory=${NAME}
SELinuxContext=system_u:system_r:container_runtime_t:s0
ExecStartPre=/bin/bash $DESTDIR/rootfs/prepare_host.sh $NAME
ExecStartPre=/bin/sh -c 'export -p > /run/$NAME/environment'
ExecStart=$EXEC_START
ExecReload=/bin/kill -s HUP $$MAINPID
ExecStop=$EXEC_STOP
ExecStopPost=-/bin/rm --force /run/$NAME.drop-in
ExecStopPost=$EXEC_STOPPOST
LimitNOFILE=65536
TimeoutStartSec=0
Restart=on-abnormal
WorkingDirectory=$DESTDIR

[Install]
WantedBy=multi-user.target
RequiredBy=$REQUIRED_BY
"""
PREPARE_HOST = """\
#!/bin/bash
mount --make-rshared / && pwd > /run/$1.drop-in
"""
SERVICE = """\
#!/bin/sh
. /run/overlay/environment
echo "$BACKEND" > /run/overlay/backend
# systemd asks each process to end, that of umount, too
trap 'trap "" TERM; busybox umount /run/overlay/made; exit 0' TERM
busybox mkdir /run/overlay/made && busybox mount -t tmpfs tmpfs /run/overlay/made
while :; do sleep 0.1; done
"""
# as text: what a variable splices is no JSON before
CONFIG = """\
{
    "ociVersion": "0.6.0",
    "platform": {"os": "linux", "arch": "amd64"},
    "process": {
        "user": {},
        "args": ["/bin/hello", "$EMPTY"],
        "env": ["PATH=/bin", "$EMPTY"],
        "cwd": "/",
        "capabilities": [$ALL_PROCESS_CAPABILITIES],
        "selinuxLabel": "system_u:system_r:container_runtime_t:s0",
        "apparmorProfile": ""
    },
    "root": {"path": "rootfs", "readonly": true},
    "hooks": {},
    "mounts": [
        {"type": "proc", "source": "proc", "destination": "/proc"},
        {"type": "tmpfs", "source": "tmpfs", "destination": "/dev", "options": ["mode=755"]},
        {"type": "bind", "source": "/sys", "destination": "/sys", "options": ["rbind", "rw", "mode=755"]},
        {"type": "bind", "source": "/run", "destination": "/run",
         "options": ["rshared", "rbind", "rw", "mode=755"]}$ADDTL_MOUNTS
    ],
    "linux": {
        "rootfsPropagation": "rshared",
        "resources": {"devices": [{"allow": true, "access": "rwm"}], "network": {"classID": null}},
        "namespaces": [{"type": "mount", "path": ""}],
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": null,
            "syscalls": [{"name": "mknod", "action": "SCMP_ACT_ERRNO"}]
        }
    }
}
"""
TMPFILES = """\
D /run/${NAME}.d 0755 $HOST_UID $HOST_GID -
d $STATE_DIRECTORY/$NAME 0700 $HOST_UID $HOST_GID -
r /run/$NAME.drop-in
Z $STATE_DIRECTORY/$NAME 0700 $HOST_UID $HOST_GID -
"""
MANIFEST = {
    "version": "1.0",
    "defaultValues": {
        "ADDTL_MOUNTS": "",
        "AFTER": "network.target",
        "EMPTY": "",
        "REQUIRED_BY": "docker.service",
    },
    "renameFiles": {
        "/usr/local/bin/ctl": "/usr/local/bin/${NAME}ctl",
        "/etc/sysconfig/default": "/etc/sysconfig/$NAME",
    },
}
IMAGE = HelloImage(
    "1",
    files={
        "/exports/config.json.template": CONFIG,
        "/exports/service.template": UNIT,
        "/exports/tmpfiles.template": TMPFILES,
        "/exports/manifest.json": json.dumps(MANIFEST),
        "/exports/hostfs/etc/sysconfig/default": "BACKEND=vxlan\n",
    },
    executables={
        "/bin/hello": SERVICE,
        "/prepare_host.sh": PREPARE_HOST,
        "/exports/hostfs/usr/local/bin/ctl": "#!/bin/sh\n",
    },
    directories=("/exports/hostfs/etc/cni/net.d",),
)
UNITS = "/etc/systemd/system"


@pytest.fixture
def leftovers_removed(host: Host) -> Iterator[None]:
    """Remove what a container writes beside its own directories."""
    yield
    # crun keeps what it has made of a seccomp profile
    host.run("rm --recursive --force /var/lib/overlay /run/crun")


@pytest.mark.usefixtures("leftovers_removed")
def test_an_image_with_all_that_real_ones_have(host: Host, push_hello: Push, runtime: str) -> None:
    """Old forms, spliced JSON, host scripts, shared mounts; and enabling follows a changed [Install]."""
    mount = '{"type": "bind", "source": "/usr/share", "destination": "/mnt", "options": ["rbind", "ro"]}'
    image = push_hello(IMAGE, "overlay:latest")
    install = ["os-containers", "install", "--insecure", "--runtime", runtime, f"--set=ADDTL_MOUNTS=,{mount}"]
    said = host.run([*install, "--name=overlay", image]).stderr
    for warning in ("ociVersion 0.6.0", "process.capabilities is a list", "linux.seccomp has one name"):
        assert warning in said
    assert "SELinux is off here" in said
    assert host.exists("/etc/cni/net.d")
    assert host.exists("/usr/local/bin/overlayctl")
    assert host.exists(f"{UNITS}/docker.service.requires/overlay.service")

    host.run("systemctl start overlay && until findmnt /run/overlay/made; do sleep 0.05; done", timeout=20)
    assert host.read("/run/overlay/backend") == "vxlan\n"
    assert host.read("/run/overlay.drop-in").startswith("/var/lib/containers/atomic/.deploy/overlay/")
    assert "doc" in host.run("os-containers run overlay ls /mnt").stdout

    host.run("touch /var/lib/overlay/data /run/overlay.d/old")
    said = host.run("os-containers update --set REQUIRED_BY=kubelet.service --set AFTER= overlay").stderr
    assert "systemctl reenable overlay" in said
    assert not host.exists(f"{UNITS}/docker.service.requires")
    assert host.exists(f"{UNITS}/kubelet.service.requires/overlay.service")
    assert host.run("systemctl is-active overlay").stdout == "active\n"
    assert host.run("stat --format=%a /var/lib/overlay/data").stdout == "700\n"

    host.run("systemctl stop overlay && os-containers uninstall overlay")
    gone = (
        "/run/overlay",
        "/run/overlay.d",
        "/run/overlay.drop-in",
        "/etc/cni",
        f"{UNITS}/kubelet.service.requires",
    )
    assert [path for path in gone if host.exists(path)] == []


# All that the units of real images say of the runtime.
PLAIN = """\
[Service]
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
Restart=on-failure
RestartSec=100ms
[Install]
WantedBy=multi-user.target
"""


def test_a_service_whose_runtime_was_killed_comes_back(host: Host, push_hello: Push, runtime: str) -> None:
    """Also with a unit that does not clean up; and stopped, it leaves nothing."""
    image = push_hello(HelloImage("1", files={"/exports/service.template": PLAIN}), "hello:latest")
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {image}")
    host.run("systemctl start hello && systemctl kill --signal=KILL hello")
    shown = "systemctl show --property=NRestarts --property=SubState --value hello | sort | xargs"
    host.run(f"until [ \"$({shown})\" = '1 running' ]; do sleep 0.1; done", timeout=20)
    host.run("systemctl kill --signal=KILL hello && systemctl stop hello")
    assert host.run(f"{runtime} list --quiet").stdout == ""
