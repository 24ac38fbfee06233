"""Containers of a root file system that is on the host already."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import NotFoundError, OsContainersError, PolicyError, UsageError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.control import start_service
from os_containers.operations.install import install
from os_containers.operations.prune import prune
from os_containers.operations.repair import repair
from os_containers.operations.rollback import rollback
from os_containers.operations.status import container_status
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

CONFIG = {
    "ociVersion": "1.0.2",
    "process": {"args": ["/bin/app", "$PORT"], "cwd": "/"},
    "root": {"path": "rootfs"},
    "linux": {},
}


def make_root(machine: "Machine", *, name: str = "web", port: int = 80, host_text: str = "$NAME\n") -> Path:
    """Make a root file system with a default port, and a host file."""
    root = machine.root / "roots" / name
    host_file = root / f"exports/{machine.exported('web.conf')}"
    host_file.parent.mkdir(parents=True, exist_ok=True)
    host_file.write_text(host_text)
    (root / "bin").mkdir(exist_ok=True)
    (root / "exports/config.json.template").write_text(json.dumps(CONFIG))
    (root / "exports/manifest.json").write_text(json.dumps({"defaultValues": {"PORT": port}}))
    return root


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that one would see changed in a directory."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_nlink, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


def problems(machine: "Machine") -> list[str]:
    return [one.what for one in check(machine.system, Depth.CONTENT)]


def config_of(machine: "Machine", name: str = "web") -> dict[str, dict[str, object]]:
    config: dict[str, dict[str, object]] = json.loads(
        (machine.paths.state / name / "config.json").read_text()
    )
    return config


def test_it_runs_the_directory_itself_and_leaves_it_alone(machine: "Machine") -> None:
    """Install, update, rollback, prune, repair and uninstall: nothing in it is another file afterwards."""
    root = make_root(machine)
    before = tree(root)
    deployment = install(machine.system, None, Choices(), rootfs=root)
    assert config_of(machine)["root"] == {"path": str(root), "readonly": True}
    assert config_of(machine)["process"]["args"] == ["/bin/app", "80"]
    info = json.loads((deployment.path / "info").read_text())
    assert (info["image"], info["revision"], info["remote"]) == ("", "", str(root))
    assert deployment.rootfs.readlink() == root
    unit = (machine.paths.units / "web.service").read_text()
    assert f'[Unit]\nRequiresMountsFor="{root}"\nAssertDirectoryNotEmpty={root}\n' in unit
    assert update(machine.system, "web", Choices({"PORT": "81"})).changed
    assert config_of(machine)["process"]["args"] == ["/bin/app", "81"]
    prune(machine.system)
    rollback(machine.system, "web")
    assert config_of(machine)["process"]["args"] == ["/bin/app", "80"]
    assert problems(machine) == []
    (deployment.path / "rootfs").unlink()
    assert problems(machine) == ["the deployment has no rootfs"]
    repair(machine.system, ProxyOptions())
    assert problems(machine) == []
    assert update(machine.system, "web", Choices({"PORT": "82"})).changed
    uninstall(machine.system, "web")
    assert tree(root) == before
    assert not (machine.paths.deployments / "web").exists()


def test_an_update_renders_anew_what_the_directory_says_now(machine: "Machine") -> None:
    """It is current when that is what it said before: DESTDIR is another one each time."""
    make_root(machine, host_text="1\n")
    root = make_root(machine)
    (root / "exports/service.template").write_text(
        "[Service]\nExecStart=$EXEC_START\nEnvironment=A=$DESTDIR\n"
    )
    install(machine.system, None, Choices(), rootfs=root)
    assert not update(machine.system, "web", Choices()).changed
    make_root(machine, port=8080)
    assert update(machine.system, "web", Choices()).changed
    assert config_of(machine)["process"]["args"] == ["/bin/app", "8080"]
    assert not update(machine.system, "web", Choices()).changed
    make_root(machine, port=8080, host_text="another\n")
    is_root = os.geteuid() == 0
    assert update(machine.system, "web", Choices()).changed == is_root
    assert sorted(path.name for path in (machine.paths.deployments / "web").iterdir()) == [
        ".active",
        *(["2", "3"] if is_root else ["1", "2"]),
    ]


def test_an_update_that_cannot_be_compared_leaves_nothing(machine: "Machine") -> None:
    """What was there says nothing any more, and what was made is no container's yet."""
    root = make_root(machine)
    deployment = install(machine.system, None, Choices(), rootfs=root)
    (deployment.path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        update(machine.system, "web", Choices({"PORT": "81"}))
    assert sorted(path.name for path in deployment.path.parent.iterdir()) == [".active", "1"]


def test_host_files_are_copies(machine: "Machine") -> None:
    """A rollback brings the old ones, whatever was done to those in the directory."""
    root = make_root(machine, host_text="old\n")
    deployment = install(machine.system, None, Choices(), rootfs=root)
    original = root / f"exports/{machine.exported('web.conf')}"
    original.write_text("new\n")
    rendered = deployment.host_files / str(machine.host_file("web.conf")).lstrip("/")
    if os.geteuid() == 0:
        assert (rendered.read_text(), original.stat().st_nlink) == ("old\n", 1)


def test_another_directory_by_update_and_back_by_rollback(machine: "Machine") -> None:
    """As the next version of a root file system that is built anew each time."""
    first, second = make_root(machine), make_root(machine, name="web-2", port=82)
    install(machine.system, None, Choices(), rootfs=first)
    update(machine.system, "web", Choices(), rootfs=second)
    assert config_of(machine)["root"]["path"] == str(second)
    rollback(machine.system, "web")
    assert config_of(machine)["root"]["path"] == str(first)


def test_an_image_says_what_runs_in_a_directory_that_does_not(machine: "Machine") -> None:
    """Its commit is pinned, and nothing of it is checked out; by --rebase its files are gone over to."""
    root = machine.root / "roots/bare"
    (root / "bin").mkdir(parents=True)
    stored = machine.store("1", cmd=("/bin/other",))
    with pytest.raises(UsageError, match="nothing says what to run in"):
        install(machine.system, None, Choices(), rootfs=root)
    deployment = install(machine.system, "example.org/app", Choices(), rootfs=root)
    assert (deployment.container, deployment.record.image) == ("app", "example.org/app:latest")
    assert config_of(machine, "app")["process"]["args"] == ["/bin/other"]
    assert machine.system.repo().pins.commits() == {("app", 1): stored.commit}
    assert not update(machine.system, "app", Choices()).changed
    machine.store("2", cmd=("/bin/app",))
    assert update(machine.system, "app", Choices()).changed
    assert update(machine.system, "app", Choices(), rebase="example.org/app").changed
    assert (machine.version(), config_of(machine, "app")["root"]["path"]) == ("2", "rootfs")
    assert problems(machine) == []


def test_it_is_listed_with_its_directory(machine: "Machine") -> None:
    """In place of an image."""
    root = make_root(machine)
    install(machine.system, None, Choices(), rootfs=root)
    (listed,) = list_containers(machine.system)
    assert listed.record
    assert (listed.record.image, listed.record.remote) == ("", str(root))
    status = container_status(machine.system, "web", lines=0)
    assert (status.remote, [one.remote for one in status.deployments]) == (str(root), [str(root)])


def test_a_directory_that_is_gone_is_told_and_uninstalled(machine: "Machine") -> None:
    """As when nobody has mounted it."""
    root = make_root(machine)
    install(machine.system, None, Choices(), rootfs=root)
    root.rename(root.with_name("elsewhere"))
    for act in (
        lambda: update(machine.system, "web", Choices()),
        lambda: start_service(machine.system, "web"),
    ):
        with pytest.raises(NotFoundError, match="there is no directory") as raised:
            act()
        assert raised.value.hint
        assert "mount it again" in raised.value.hint
    assert problems(machine) == [f"there is no directory {root}, the root file system"]
    uninstall(machine.system, "web")
    assert problems(machine) == []


def test_only_a_directory_of_its_own_is_taken(machine: "Machine") -> None:
    """Nothing is left of the others."""
    root, system = make_root(machine), machine.system
    (machine.root / "empty").mkdir()
    (machine.root / "file").touch()
    system.repo()
    wrong: list[tuple[Path, type[OsContainersError], str]] = [
        (root / "missing", NotFoundError, "there is no directory"),
        (machine.root / "file", NotFoundError, "there is no directory"),
        (machine.root / "empty", NotFoundError, "is empty"),
        (Path("/"), UsageError, "which belongs to os-containers"),
        (machine.paths.state, UsageError, "which belongs to os-containers"),
        (machine.paths.repo / "objects", UsageError, "which belongs to os-containers"),
    ]
    for directory, kind, why in wrong:
        with pytest.raises(kind, match=why):
            install(system, None, Choices(), rootfs=directory)
    with pytest.raises(UsageError, match="no image is named"):
        install(system, None, Choices())
    (machine.root / "link").symlink_to(root)
    deployment = install(system, None, Choices(), rootfs=machine.root / "link", name="linked")
    assert deployment.record.remote == str(root)


def test_a_predecessors_rootfs_elsewhere_stays_so(machine: "Machine") -> None:
    """Atomic wrote where it is into the record, and made a link to it."""
    root = make_root(machine)
    deployment = install(machine.system, None, Choices(), rootfs=root)
    old = machine.paths.state / "web.0"
    deployment.path.rename(old)
    record = replace(deployment.record, serial=0, remote="/old/place")
    info = {"image": "example.org/web", "revision": "", "remote": record.remote, "values": {}}
    (old / "info").write_text(json.dumps(info))
    (machine.paths.state / "web").unlink()
    (machine.paths.state / "web").symlink_to(old)
    (machine.paths.deployments / "web/.active").unlink()
    machine.store("1", name="example.org/web:latest")
    assert update(machine.system, "web", Choices()).changed
    assert config_of(machine)["root"]["path"] == str(root)


def test_a_bundle_may_be_named_as_well(machine: "Machine") -> None:
    """Atomic took the directory that a rootfs is in, too."""
    root = make_root(machine, name="bundle/rootfs")
    deployment = install(machine.system, None, Choices(), rootfs=root.parent)
    assert (deployment.container, deployment.record.remote) == ("bundle", str(root))


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's own is the user's affair")
@pytest.mark.parametrize("what", ["", "exports", "exports/config.json.template", ".."])
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_a_directory_that_others_may_change_is_refused(machine: "Machine", what: str, how: str) -> None:
    """Its exports say what root runs; an update looks again."""
    root = make_root(machine)
    install(machine.system, None, Choices(), rootfs=root)
    (root / "exports/hostfs/link").symlink_to("nowhere")
    changed = (root / what).resolve()
    if how == "mode":
        changed.chmod(0o777)
    else:
        os.chown(changed, 1000, 1000)
    for act in (
        lambda: install(machine.system, None, Choices(), rootfs=root, name="other"),
        lambda: update(machine.system, "web", Choices()),
    ):
        with pytest.raises(PolicyError, match="users other than root can change") as raised:
            act()
        assert str(changed) in raised.value.message
    uninstall(machine.system, "web")


@pytest.mark.parametrize("with_image", [True, False])
def test_a_damaged_record_is_made_anew(machine: "Machine", with_image: object) -> None:
    """The link tells the root file system, the pin its image."""
    first, second = make_root(machine), make_root(machine, name="web-2", port=82)
    machine.store("1", name="example.org/web:latest")
    image = "example.org/web" if with_image else None
    install(machine.system, image, Choices(), name="web", rootfs=first)
    before = update(machine.system, "web", Choices(), rootfs=second).deployment
    (before.path / "info").write_text("{")
    assert repair(machine.system, ProxyOptions()) == []
    after = machine.system.container("web").current().record
    assert (after.remote, after.image, after.commit) == (
        str(second),
        before.record.image,
        before.record.commit,
    )
    rollback(machine.system, "web")
    assert config_of(machine)["root"]["path"] == str(first)


def test_a_damaged_record_of_an_image_after_a_root_file_system(machine: "Machine") -> None:
    """It has a rootfs of its own again."""
    root = make_root(machine)
    install(machine.system, None, Choices(), name="app", rootfs=root)
    machine.store("1")
    path = update(machine.system, "app", Choices(), rebase="example.org/app").deployment.path
    (path / "info").write_text("{")
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.system.container("app").current().record.remote == ""


def test_a_directory_that_is_no_root_file_system_is_refused(machine: "Machine") -> None:
    """Nothing could run in it; one error, and nothing is left. What runs no container needs no program."""
    root = machine.root / "roots/data"
    (root / "photos").mkdir(parents=True)
    machine.store("1")
    with pytest.raises(NotFoundError, match="is not a root file system: there is no") as raised:
        install(machine.system, "example.org/app", Choices(), rootfs=root)
    assert raised.value.message.endswith("'/bin/app'")
    assert (machine.told(), machine.deployed()) == ([], [])
    (root / "exports").mkdir()
    (root / "exports/service.template").write_text("[Service]\nExecStart=/usr/bin/true\n")
    install(machine.system, "example.org/app", Choices(), rootfs=root)


def test_mount_points_that_are_missing_are_told(machine: "Machine") -> None:
    """The runtime would make them, and cannot where it is read-only; below another mount there are none."""
    root = make_root(machine)
    mounts = [
        {"destination": one, "type": "tmpfs", "source": "x"}
        for one in ("//exports", "run", "/run/lock", "/tmp")
    ]
    (root / "exports/config.json.template").write_text(json.dumps({**CONFIG, "mounts": mounts}))
    install(machine.system, None, Choices(), rootfs=root)
    assert [one for one in machine.told() if "mount points" in one] == [
        f"{root} lacks the mount points /run, /tmp: the runtime makes them, if it can"
    ]
