"""What an image is and wants, known before it is installed."""

import json
import os
from typing import TYPE_CHECKING

import pytest
from images import File

from os_containers.cli.image_info import info_json, show
from os_containers.deployment.privileges import HostMount
from os_containers.deployment.values import Origin
from os_containers.operations.image_demands import Demands
from os_containers.operations.image_info import ImageInfo, image_info

if TYPE_CHECKING:
    from conftest import Machine
    from images import Files

CONFIG = {
    "process": {
        "args": ["$COMMAND"],
        "user": {"uid": 0},
        "capabilities": {"bounding": ["CAP_SYS_ADMIN", "CAP_CHOWN"]},
    },
    "root": {"path": "rootfs"},
    "mounts": [
        {
            "destination": "/data",
            "source": "$STATE_DIRECTORY/app",
            "type": "bind",
            "options": ["rbind", "rw"],
        },
        {"destination": "/host", "source": "/", "options": ["rbind", "ro", "rshared"]},
        {"destination": "/proc", "source": "proc", "type": "proc"},
    ],
    "linux": {
        "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "ipc", "path": "/proc/1/ns/ipc"}],
        "resources": {"devices": [{"allow": True, "access": "rwm"}]},
    },
    "hooks": {"prestart": [{"path": "/usr/bin/hook", "args": ["hook", "-x"]}]},
}
SERVICE = """[Service]
ExecStartPre=/usr/bin/mkdir -p $DIRECTORY
ExecStartPre=-$EXEC_STARTPRE
ExecStart=$EXEC_START
"""
EXPORTS: "Files" = {
    "manifest.json": json.dumps({
        "version": "1.0",
        "defaultValues": {"COMMAND": "/bin/app", "UNUSED": 5, "PORT": 2379},
        "renameFiles": {"/etc/conf": "/etc/$NAME.conf"},
        "installedFilesTemplate": ["/etc/conf"],
    }),
    "config.json.template": json.dumps(CONFIG),
    "service.template": SERVICE,
    "hostfs/etc/conf": "$PORT $TOKEN",
    "hostfs/etc/cron.d/app": "",
    "hostfs/usr/local/bin/app": File("", mode=0o4755),
}  # fmt: skip


def demands(machine: "Machine") -> Demands:
    found = image_info(machine.system, "example.org/app").demands
    assert found
    return found


def test_an_image_tells_which_values_it_takes(machine: "Machine") -> None:
    """First what must be set, then what has a default, by the image or by the host."""
    machine.store("1", exports=EXPORTS)
    found = [(one.name, one.default, one.origin) for one in demands(machine).variables]
    assert found == [
        ("DIRECTORY", None, None),
        ("TOKEN", None, None),
        ("COMMAND", "/bin/app", Origin.DEFAULT),
        ("PORT", "2379", Origin.DEFAULT),
        ("STATE_DIRECTORY", str(machine.paths.state_directory), Origin.GENERATED),
        ("UNUSED", "5", Origin.DEFAULT),
    ]
    used = {one.name: one.used_in for one in demands(machine).variables}
    assert (used["TOKEN"], used["UNUSED"]) == (("exports/hostfs/etc/conf",), ())


def test_an_image_tells_which_files_it_puts_on_the_host(machine: "Machine") -> None:
    """Under the names that they get, and what of them needs a word."""
    machine.store("1", exports=EXPORTS)
    found = {one.path: (one.mode, one.is_template, one.needs) for one in demands(machine).host_files}
    setuid = ("4755", False, ("--allow-setuid",)) if os.geteuid() == 0 else ("0755", False, ())
    assert found == {
        "/etc/app.conf": ("0644", True, ()),
        "/etc/cron.d/app": ("0644", False, ("--allow-host-path /etc/cron.d/app",)),
        "/usr/local/bin/app": setuid,
    }


def test_an_image_tells_which_privileges_it_asks_for(machine: "Machine") -> None:
    """Everything that is more than a process in a box, with the values that it would get."""
    machine.store("1", exports=EXPORTS)
    found = demands(machine).privileges
    assert found
    host = ("network", "ipc", "uts", "cgroup", "user")
    assert found.host_namespaces == (host if os.geteuid() == 0 else host[:-1])
    assert found.capabilities == ("CAP_SYS_ADMIN",)
    assert found.mounts == (
        HostMount(f"{machine.paths.state_directory}/app", "/data", read_only=False, propagates=False),
        HostMount("/", "/host", read_only=True, propagates=True),
    )
    assert (found.every_device, found.hooks) == (True, ("prestart: /usr/bin/hook -x",))
    assert (found.root, found.may_gain_more) == (True, True)
    assert demands(machine).host_commands == ("ExecStartPre=/usr/bin/mkdir -p $DIRECTORY",)
    assert demands(machine).problems == ()


def test_an_image_without_exports_asks_for_little(machine: "Machine") -> None:
    """It shares the host's network, and writes nothing of the host."""
    machine.store("1", user="app")
    found = demands(machine)
    assert (found.own_unit, found.own_config, found.variables, found.host_files) == (False, False, (), ())
    assert found.privileges
    assert "network" in found.privileges.host_namespaces
    assert (found.privileges.capabilities, found.privileges.root, found.privileges.hooks) == ((), False, ())
    assert all(mount.read_only for mount in found.privileges.mounts)


@pytest.mark.parametrize(
    ("exports", "problem"),
    [
        ({"service.template": "ExecStart=$ x"}, "does not start a variable"),
        ({"config.json.template": "{$SPLICE}"}, "not valid JSON"),
        ({"manifest.json": '{"renameFiles": {"/a": "b"}}', "hostfs/a": ""}, "renames /a to 'b'"),
        ({"manifest.json": "[]"}, "not a JSON object"),
        ({"config.json": '{"process": {"cwd": "/proc/1"}, "root": {}, "linux": {}}'}, "root.path"),
    ],
)
def test_what_is_wrong_with_an_image_does_not_hide_the_rest(
    machine: "Machine", exports: "Files", problem: str
) -> None:
    """It is told as a problem."""
    machine.store("1", exports=exports)
    assert problem in " ".join(demands(machine).problems)


def test_an_image_whose_name_makes_no_container_says_so(machine: "Machine") -> None:
    """Everything else is told nevertheless."""
    machine.store("1", exports=EXPORTS, name="example.org/app.service:latest")
    found = image_info(machine.system, "example.org/app.service").demands
    assert found
    assert found.problems == ("'app.service' ends like a systemd unit: install it with --name",)
    assert len(found.variables) == 6


def test_an_image_tells_which_of_its_layers_others_have(machine: "Machine") -> None:
    """Each layer names the images that have it, too."""
    machine.store("1", more={"/big": "x" * 100_000}, name="example.org/base:1")
    machine.store("1", more={"/big": "x" * 100_000}, exports=EXPORTS)
    found = image_info(machine.system, "example.org/app")
    assert [one.shared_with for one in found.layers] == [("example.org/base:1",), ()]


def test_what_is_known_is_shown(machine: "Machine", capsys: pytest.CaptureFixture[str]) -> None:
    """For people, with the command that installs it, and for machines."""
    machine.store("1", exports=EXPORTS)
    found: ImageInfo = image_info(machine.system, "example.org/app")
    show(found)
    shown = capsys.readouterr().out
    for line in (
        "example.org/app:latest",
        "  TOKEN must be set",
        "  PORT=2379",
        "  UNUSED=5  (in no template)",
        "  /etc/app.conf  file, from a template",
        "  /etc/cron.d/app  file, needs --allow-host-path /etc/cron.d/app",
        "  capabilities beyond the usual: CAP_SYS_ADMIN",
        "  mount of / at /host, read-only, mounts in it reach the host",
        "  program of the host, ExecStartPre=/usr/bin/mkdir -p $DIRECTORY",
    ):
        assert line in shown.splitlines()
    assert "install --set DIRECTORY=... --set TOKEN=... --allow-host-path /etc/cron.d/app" in shown
    tree = info_json(found)
    assert (tree.name, tree.platform, tree.cmd) == ("example.org/app:latest", "linux/amd64", ("/bin/app",))
