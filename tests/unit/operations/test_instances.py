"""Several containers of one image beside each other, with host files and directories of their own names."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images import Directory

from os_containers.errors import ConflictError
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.rollback import rollback
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine
    from images import Files

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")


def exports(machine: "Machine", version: str, **manifest: object) -> "Files":
    """Return a directory and a tool, both to be renamed; version 2 has another file in it."""
    conf, tool = machine.host_file("etc/app"), machine.host_file("bin/appctl")
    described = {
        "defaultValues": {"BIN": str(tool.parent), "PORT": "1"},
        "renameFiles": {str(conf): f"{conf.parent}/$NAME", str(tool): "$BIN/${NAME}ctl"},
        "installedFilesTemplate": [f"{conf}/app.conf"],
        **manifest,
    }
    return {
        "manifest.json": json.dumps(described),
        machine.exported("etc/app"): Directory(),
        machine.exported("etc/app/app.conf"): f"{version} $NAME $PORT",
        machine.exported(f"etc/app/tls/{version}.pem"): "$NAME",
        machine.exported("bin/appctl"): f"tool {version}",
    }


def host(machine: "Machine") -> dict[str, str]:
    """Return the host's files."""
    top = machine.root / "host"
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def files(name: str, version: str, port: int = 1) -> dict[str, str]:
    """Return what a container should have there."""
    return {
        f"etc/{name}/app.conf": f"{version} {name} {port}",
        f"etc/{name}/tls/{version}.pem": "$NAME",
        f"bin/{name}ctl": f"tool {version}",
    }


@as_root
def test_each_goes_its_own_way(machine: "Machine") -> None:
    """Installed, updated, rolled back and uninstalled one after the other; a taken place is found."""
    machine.store("1", exports=exports(machine, "1"))
    install(machine.system, "example.org/app", Choices(), name="one")
    install(machine.system, "example.org/app", Choices({"PORT": "2"}), name="two")
    assert host(machine) == files("one", "1") | files("two", "1", 2)
    machine.store("2", exports=exports(machine, "2"))
    update(machine.system, "one", Choices())
    assert host(machine) == files("one", "2") | files("two", "1", 2)
    update(machine.system, "two", Choices({"PORT": "3"}))
    rollback(machine.system, "one")
    assert host(machine) == files("one", "1") | files("two", "2", 3)
    assert check(machine.system, Depth.NAMES) == []
    uninstall(machine.system, "one")
    assert host(machine) == files("two", "2", 3)
    assert not machine.host_file("etc/one").exists()
    rollback(machine.system, "two")
    assert host(machine) == files("two", "1", 2)
    uninstall(machine.system, "two")
    assert list(machine.root.joinpath("host").iterdir()) == []


@as_root
def test_without_renames_there_is_no_room_for_a_second(machine: "Machine") -> None:
    """It changes nothing of the first."""
    machine.store("1", exports=exports(machine, "1", renameFiles={}))
    install(machine.system, "example.org/app", Choices(), name="one")
    before = machine.snapshot()
    with pytest.raises(ConflictError, match="belongs to the container one"):
        install(machine.system, "example.org/app", Choices(), name="two")
    assert machine.snapshot() == before


@as_root
def test_a_new_version_may_rename_to_elsewhere(machine: "Machine") -> None:
    """The files of the old place go, and come back with a rollback."""
    machine.store("1", exports=exports(machine, "1"))
    install(machine.system, "example.org/app", Choices())
    conf = str(machine.host_file("etc/app"))
    machine.store("2", exports=exports(machine, "2", renameFiles={conf: f"{conf}-$PORT"}))
    update(machine.system, "app", Choices({"PORT": "8"}))
    assert sorted(host(machine)) == ["bin/appctl", "etc/app-8/app.conf", "etc/app-8/tls/2.pem"]
    assert not Path(conf).exists()
    rollback(machine.system, "app")
    assert host(machine) == files("app", "1")


@as_root
def test_a_template_may_be_listed_by_its_place_on_the_host(machine: "Machine") -> None:
    """As atomic had it; the Go tool lists it by its path in the image."""
    place = machine.host_file("etc/place")
    renames = {str(machine.host_file("etc/app")): str(place)}
    listed = [f"{place}/app.conf"]
    machine.store("1", exports=exports(machine, "1", renameFiles=renames, installedFilesTemplate=listed))
    install(machine.system, "example.org/app", Choices())
    assert host(machine)["etc/place/app.conf"] == "1 app 1"


@as_root
def test_files_without_a_service_live_the_same_life(machine: "Machine") -> None:
    """noContainerService: nothing of systemd is touched, and no unit is there."""
    for version in ("1", "2"):
        machine.store(version, exports=exports(machine, version, noContainerService=True))
        if version == "1":
            install(machine.system, "example.org/app", Choices())
    update(machine.system, "app", Choices({"PORT": "2"}))
    assert host(machine) == files("app", "2", 2)
    rollback(machine.system, "app")
    assert host(machine) == files("app", "1")
    assert check(machine.system, Depth.CONTENT) == []
    assert not (machine.paths.units / "app.service").exists()
    assert not [call for call in machine.services.calls if "app.service" in call]
    uninstall(machine.system, "app")
    assert list(machine.root.joinpath("host").iterdir()) == []


@pytest.mark.parametrize("by_image", [True, False], ids=["defaultValues", "--set"])
def test_all_process_capabilities_may_be_set(machine: "Machine", by_image: object) -> None:
    """By the image or by a person, in place of all that the host can give."""
    config = (
        '{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "linux": {}, "process": {"args": ["/bin/app"],'
        ' "cwd": "/", "capabilities": {"bounding": [$ALL_PROCESS_CAPABILITIES]}}}'
    )
    value = {"ALL_PROCESS_CAPABILITIES": '"CAP_CHOWN", "CAP_KILL"'}
    manifest = json.dumps({"defaultValues": value if by_image else {}})
    machine.store("1", exports={"config.json.template": config, "manifest.json": manifest})
    install(machine.system, "example.org/app", Choices({} if by_image else value))
    written = json.loads((machine.paths.state / "app/config.json").read_text())
    assert written["process"]["capabilities"] == {"bounding": ["CAP_CHOWN", "CAP_KILL"]}
