"""Directories of the host that a container mounts and that are missing: made, kept, taken away with it."""

import json
import os
from typing import TYPE_CHECKING

import pytest
from images import Directory

from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.rollback import rollback
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine


def config(*sources: str, user: dict[str, int] | None = None) -> str:
    """Return a config.json.template that mounts each source; a pair is a source and where it is mounted."""
    pairs = [(source, at or "/data") for source, _, at in (one.partition("=>") for one in sources)]
    return json.dumps(
        {
            "ociVersion": "1.0.2",
            "process": {"args": ["/bin/app"], "cwd": "/", "user": user or {}},
            "root": {"path": "rootfs"},
            "linux": {},
            "mounts": [
                {"destination": at, "source": source, "type": "bind", "options": ["rbind", "rw"]}
                for source, at in pairs
            ],
        }
    )


def fragment(machine: "Machine", name: str = "app") -> list[str]:
    """Return the lines of a container's tmpfiles.d fragment, with S for the host's /var/lib, and so on."""
    path = machine.paths.tmpfiles / f"{name}.conf"
    text = path.read_text() if path.exists() else ""
    for place, letter in (("lib", "S"), ("run", "R"), ("etc", "C")):
        text = text.replace(str(machine.root / place), letter)
    ours = f":{os.geteuid()} :{os.getegid()}"
    return [line.replace(ours, "OURS") for line in text.splitlines()]


def test_missing_sources_are_made_stay_over_updates_and_go_with_the_container(machine: "Machine") -> None:
    """The line stays when the directory is there by now: /run is empty after a boot."""
    exports = {"config.json.template": config("$STATE_DIRECTORY/$NAME/db", "$RUN_DIRECTORY/$NAME")}
    expected = ['d "S/app" :0755 OURS -', 'd "S/app/db" :0700 OURS -', 'd "R/app" :0700 OURS -']
    machine.store("1", exports=exports)
    install(machine.system, "example.org/app", Choices())
    assert fragment(machine) == expected
    assert "create app.conf" in machine.services.calls
    for made in ("lib/app/db", "run/app"):
        (machine.root / made).mkdir(parents=True)
    machine.store("2", exports=exports)
    update(machine.system, "app", Choices())
    assert fragment(machine) == expected
    rollback(machine.system, "app")
    assert fragment(machine) == expected
    (machine.root / "run/app/pid").touch()
    uninstall(machine.system, "app")
    assert sorted(map(str, machine.root.glob("[lr][iu][bn]/**/*"))) == [
        f"{machine.root}/run/app",
        f"{machine.root}/run/app/pid",
    ]


def test_an_update_makes_what_a_new_version_mounts(machine: "Machine") -> None:
    """And a rollback wants it no more."""
    machine.store("1", exports={"config.json.template": config()})
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"config.json.template": config("$STATE_DIRECTORY/$NAME")})
    update(machine.system, "app", Choices())
    assert fragment(machine) == ['d "S/app" :0700 OURS -']
    rollback(machine.system, "app")
    assert fragment(machine) == []


def test_what_is_there_already_is_nobodys_to_make(machine: "Machine") -> None:
    """Not even when an update finds it."""
    (machine.root / "lib/app").mkdir(parents=True)
    for version in ("1", "2"):
        machine.store(version, exports={"config.json.template": config("$STATE_DIRECTORY/$NAME")})
    install(machine.system, "example.org/app", Choices())
    update(machine.system, "app", Choices())
    uninstall(machine.system, "app")
    assert fragment(machine) == []
    assert (machine.root / "lib/app").is_dir()


def test_a_directory_of_another_container_is_made_for_both(machine: "Machine") -> None:
    """Whichever of the two is started first after a boot."""
    machine.store("1", exports={"config.json.template": config("$RUN_DIRECTORY/shared")})
    install(machine.system, "example.org/app", Choices())
    (machine.root / "run/shared").mkdir(parents=True)
    install(machine.system, "example.org/app", Choices(), name="other")
    assert fragment(machine, "other") == fragment(machine) == ['d "R/shared" :0700 OURS -']


def test_only_directories_in_places_for_containers_are_made(machine: "Machine") -> None:
    """Never a file's path, nor anything in a deployment, nor anywhere else on the host."""
    files = {"/etc/file": "", "/etc/dir": Directory(), "/run/link": Directory()}
    refused = [
        "$DESTDIR/rootfs/made",
        f"{machine.paths.state}/x",
        "/srv/not-ours",
        "$STATE_DIRECTORY",
        "$STATE_DIRECTORY/../up",
        "relative/path",
        "$RUN_DIRECTORY/app.sock",
        "$RUN_DIRECTORY/dbus/system_bus_socket",
        "$CONF_DIRECTORY/localtime=>/etc/localtime",
        "$CONF_DIRECTORY/resolv.conf=>/etc/resolv.conf",
        "$CONF_DIRECTORY/plain=>/etc/file",
        "$RUN_DIRECTORY/plain=>/etc/file",
    ]
    made = ["$CONF_DIRECTORY/x.conf=>/etc/dir", "$RUN_DIRECTORY/x.d=>/run/x.d", "$RUN_DIRECTORY/.hidden"]
    machine.store("1", more=files, exports={"config.json.template": config(*refused, *made)})
    install(machine.system, "example.org/app", Choices())
    assert fragment(machine) == [
        'd "C/x.conf" :0700 OURS -',
        'd "R/x.d" :0700 OURS -',
        'd "R/.hidden" :0700 OURS -',
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_images_own_host_files_are_not_made_beforehand(machine: "Machine") -> None:
    """They come with the mode that the image gives them."""
    own = {
        "config.json.template": config(f"{machine.host_file('app')}/conf=>/etc/a", "$C/app/data=>/etc/b"),
        machine.exported("app"): Directory(),
        machine.exported("app/conf"): Directory(),
    }
    machine.store("1", more={"/etc/a": Directory(), "/etc/b": Directory()}, exports=own)
    where = str(machine.root / "host")
    install(machine.system, "example.org/app", Choices({"C": where, "CONF_DIRECTORY": where}))
    assert [line.replace(where, "H") for line in fragment(machine)] == ['d "H/app/data" :0700 OURS -']


def test_they_belong_to_whom_the_process_is(machine: "Machine") -> None:
    """What is above them is root's."""
    user = {"uid": 65534, "gid": 65533}
    machine.store("1", exports={"config.json.template": config("$STATE_DIRECTORY/$NAME/db", user=user)})
    install(machine.system, "example.org/app", Choices())
    owner = ":65534 :65533" if os.geteuid() == 0 else "OURS"
    assert fragment(machine) == ['d "S/app" :0755 OURS -', f'd "S/app/db" :0700 {owner} -']
