"""Containers that the Go os-containers or atomic installed: listed, updated, rolled back and uninstalled."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import reinstall
from os_containers.deployment.values import Origin, Value
from os_containers.errors import BrokenError, ConflictError, ServiceError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import ListedContainer, list_containers
from os_containers.operations.install import install
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.prune import prune
from os_containers.operations.recover import recover_named
from os_containers.operations.repair import repair
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.status import container_status
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update
from os_containers.ostree.objects import read_commit
from os_containers.ostree.refs import blob_ref, image_ref

if TYPE_CHECKING:
    from conftest import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")

UNIT = "[Service]\nExecStart=/usr/bin/runc run app\nWorkingDirectory={}\n[Install]\nWantedBy=x.target\n"
CONFIG = '{"ociVersion": "1.0.0", "process": {"args": ["/bin/app"]}, "root": {"path": "rootfs"}, "linux": {}}'
FRAGMENT = "d /run/app - - - - -\n"
MANIFEST = '{"version": "1.0", "defaultValues": {"PORT": "%s", "LEVEL": "%s"}}'


def go_info(machine: "Machine", **changes: Any) -> dict[str, Any]:
    """Return what the Go tool writes, which knows neither kinds nor origins, and no commit."""
    return {
        "ostree-commit": "0",
        "has-container-service": True,
        "revision": "a" * 64,
        "remote": "",
        "image": "example.org/app:latest",
        "created": 1535000000,
        "runtime": str(machine.root / "crun"),
        "installed-files": [],
        "installed-files-template": None,
        "installed-files-checksum": {},
        "rename-installed-files": None,
        "values": {},
        **changes,
    }


def atomic_info(machine: "Machine", **changes: Any) -> dict[str, Any]:
    """Return what atomic writes, which has numbers among the values."""
    tree = go_info(machine) | {
        "ostree-commit": "b" * 64,
        "remote": None,
        "installed-files-template": [],
        "rename-installed-files": {},
        "rpm-installed": None,
        "system-package": "no",
        "use-links": True,
        "values": {"HOST_UID": 0, "HOST_GID": 0},
    }
    return {**tree, **changes}


def deploy(
    machine: "Machine", serial: int, info: Mapping[str, Any], *, exports: Mapping[str, str] | None = None
) -> Path:
    """Make a deployment of the container app as a predecessor did; its version is that of the serial."""
    directory = machine.paths.state / f"app.{serial}"
    for path, text in {
        "rootfs/version": f"old {serial}",
        "config.json": CONFIG,
        "app.service": UNIT.format(directory),
        "tmpfiles-app.conf": FRAGMENT,
        "info": json.dumps(info),
        **{f"rootfs/exports/{path}": text for path, text in (exports or {}).items()},
    }.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


def activate(machine: "Machine", deployment: Path, *, fragment: str = "tmpfiles-app.conf") -> None:
    """Let a predecessor's deployment be the one that runs; the Go tool has that name for the fragment."""
    link = machine.paths.state / "app"
    link.unlink(missing_ok=True)
    link.symlink_to(deployment.absolute())
    shutil.copy(deployment / "app.service", machine.paths.units)
    (machine.paths.tmpfiles / fragment).write_text(FRAGMENT)
    machine.services.active.add("app.service")
    machine.services.enabled.add("app.service")


def old_container(machine: "Machine", **changes: Any) -> Path:
    """Have one deployment of the Go tool, running."""
    deployment = deploy(machine, 0, go_info(machine, **changes), exports={"manifest.json": MANIFEST % (1, 1)})
    activate(machine, deployment)
    return deployment


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def link(machine: "Machine") -> str:
    return str((machine.paths.state / "app").readlink())


def listed(machine: "Machine") -> ListedContainer:
    (one,) = list_containers(machine.system)
    return one


@pytest.mark.parametrize("write", [go_info, atomic_info])
def test_it_is_listed_and_nothing_is_wrong_with_it(machine: "Machine", write: Any) -> None:
    """The one that the absolute link names; looking at it changes nothing."""
    deploy(machine, 0, write(machine))
    activate(machine, deploy(machine, 1, write(machine, created=1600000000)))
    before = sorted(machine.paths.state.rglob("*"))
    one = listed(machine)
    assert (one.name, one.state, one.problem) == ("app", "running", "")
    assert one.record
    assert (one.record.serial, one.record.created, one.record.image) == (
        1,
        1600000000,
        "example.org/app:latest",
    )
    assert [problem for problem in check(machine.system, Depth.CONTENT) if "I" in problem.invariant] == []
    assert [path for path in sorted(machine.paths.state.rglob("*")) if ".locks" not in str(path)] == before


@pytest.mark.parametrize(
    "changes",
    [
        {"values": None, "installed-files": None, "installed-files-checksum": None, "runtime": None},
        {"revision": None, "created": None, "has-container-service": None, "image": None},
        {"ostree-commit": 0, "values": {"PORT": 80, "RATE": 1.5, "NONE": None}},
        {"installed-files": ["etc/app"], "installed-files-checksum": {"etc/app": "0"}},
    ],
)
def test_an_odd_record_does_not_keep_it_from_being_uninstalled(
    machine: "Machine", changes: dict[str, Any]
) -> None:
    """Null where there was nothing to write, numbers for texts, paths without a slash."""
    old_container(machine, **changes)
    assert listed(machine).state == "running"
    uninstall(machine.system, "app")
    assert list_containers(machine.system) == []
    assert [path.name for path in machine.paths.state.iterdir() if not path.name.startswith(".")] == []


def test_update_brings_a_deployment_of_ours(machine: "Machine") -> None:
    """It runs as the old one did, and the older of two goes."""
    deploy(machine, 1, go_info(machine))
    old_container(machine)
    machine.store("new")
    assert update(machine.system, "app", Choices()).deployment.serial == 2
    assert (machine.version(), link(machine)) == ("new", ".deploy/app/2")
    assert (machine.services.active, machine.services.enabled) == ({"app.service"}, {"app.service"})
    assert sorted(path.name for path in machine.paths.state.glob("app.*")) == ["app.0"]
    assert not (machine.paths.tmpfiles / "tmpfiles-app.conf").exists()
    assert check(machine.system, Depth.CONTENT) == []
    assert not update(machine.system, "app", Choices()).changed
    machine.store("newer")
    update(machine.system, "app", Choices())
    assert list(machine.paths.state.glob("app.*")) == []
    assert machine.deployed() == ["2", "3"]


def test_the_same_image_is_news_to_what_a_predecessor_deployed(machine: "Machine") -> None:
    """The first update is what makes the container one of ours."""
    image = machine.store("same")
    old_container(machine, revision=image.digest.removeprefix("sha256:"))
    assert update(machine.system, "app", Choices()).changed
    assert link(machine) == ".deploy/app/2"


def test_what_was_set_stays_and_an_old_default_does_not_win(machine: "Machine") -> None:
    """The predecessors saved all values alike, and carried the defaults of one image on to the next."""
    template = {"config.json.template": CONFIG.replace("/bin/app", "$PORT$LEVEL$MINE")}
    deploy(machine, 1, go_info(machine), exports={"manifest.json": MANIFEST % ("79", "low")})
    given = {"PORT": "79", "LEVEL": "high", "MINE": "1", "UUID": "u", "ATOMIC": "/usr/bin/atomic"}
    forced = {"NAME": "app", "DESTDIR": "/old", "EXEC_START": "/bin/runc run app", "HOST_UID": 0}
    own = {"STATE_DIRECTORY": str(machine.paths.state_directory), "RUN_DIRECTORY": "/mine"}
    values = given | forced | own
    activate(
        machine,
        deploy(
            machine, 0, atomic_info(machine, values=values), exports={"manifest.json": MANIFEST % (80, "low")}
        ),
    )
    machine.store("new", exports={"manifest.json": MANIFEST % ("81", "medium"), **template})
    entered = update(machine.system, "app", Choices()).deployment.record.values
    assert entered["PORT"] == Value("81", Origin.DEFAULT)
    assert entered["LEVEL"] == Value("high", Origin.SET)
    assert entered["MINE"] == Value("1", Origin.SET)
    assert entered["RUN_DIRECTORY"] == Value("/mine", Origin.SET)
    assert entered["STATE_DIRECTORY"].origin is Origin.GENERATED
    assert entered["UUID"] == Value("u", Origin.GENERATED)
    assert entered["ATOMIC"].text != "/usr/bin/atomic"
    assert entered["DESTDIR"].text == str(machine.paths.deployments / "app/2")


def test_a_record_without_an_image_needs_another(machine: "Machine") -> None:
    """Then the container goes over to that one."""
    old_container(machine, image=None)
    machine.store("new")
    with pytest.raises(BrokenError, match="does not name its image"):
        update(machine.system, "app", Choices())
    update(machine.system, "app", Choices(), rebase="example.org/app")
    assert machine.version() == "new"


def test_an_update_that_does_not_start_leaves_the_old_one_running(machine: "Machine") -> None:
    """From the place where its unit expects it."""
    old = old_container(machine)
    machine.store("new", exports={"service.template": UNIT.replace("/usr/bin/runc", "/broken")})
    machine.services.broken = {"/broken"}
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices())
    assert (machine.version(), link(machine)) == ("old 0", "app.0")
    assert machine.services.active == {"app.service"}
    assert (machine.paths.units / "app.service").read_text() == UNIT.format(old)
    assert machine.deployed() == []
    assert check(machine.system, Depth.CONTENT) == []


def test_rollback_between_two_of_a_predecessor(machine: "Machine") -> None:
    """And back again."""
    deploy(machine, 1, go_info(machine))
    old_container(machine)
    for serial in (1, 0):
        rollback(machine.system, "app")
        assert (machine.version(), link(machine)) == (f"old {serial}", f"app.{serial}")
        unit = machine.paths.units / "app.service"
        assert unit.read_text() == UNIT.format(machine.paths.state / f"app.{serial}")
        assert machine.services.active == {"app.service"}
        assert check(machine.system, Depth.CONTENT) == []


@as_root
@pytest.mark.parametrize("write", [go_info, atomic_info])
def test_rollback_returns_to_what_the_predecessor_had_put_on_the_host(machine: "Machine", write: Any) -> None:
    """To its very bytes; and a file that somebody has edited stays through it all."""
    files = {"plain": "p1", "rendered": "PORT=1 and a tail that no template of ours leaves", "edited": "e1"}
    for name, text in files.items():
        machine.host_file(name).write_text(text)
    checksums = {str(machine.host_file(name)): sha256(text) for name, text in files.items()}
    info = write(
        machine,
        **{
            "installed-files": list(checksums),
            "installed-files-checksum": checksums,
            "installed-files-template": [str(machine.host_file("rendered"))],
            "values": {"PORT": "1"},
        },
    )
    manifest = f'{{"installedFilesTemplate": ["{machine.host_file("rendered")}"]}}'
    exported = {"plain": "p1", "rendered": "PORT=$PORT", "edited": "e1"}
    exports = {machine.exported(name): text for name, text in exported.items()}
    activate(machine, deploy(machine, 0, info, exports=exports | {"manifest.json": manifest}))
    machine.host_file("edited").write_text("mine")
    newer = {machine.exported(name): "2" for name in ("plain", "rendered", "edited", "added")}
    machine.store("new", exports=newer)
    update(machine.system, "app", Choices())
    assert {name: machine.host_file(name).read_text() for name in (*files, "added")} == {
        "plain": "2",
        "rendered": "2",
        "edited": "mine",
        "added": "2",
    }
    rollback(machine.system, "app")
    assert {name: machine.host_file(name).read_text() for name in files} == files | {"edited": "mine"}
    assert not machine.host_file("added").exists()
    assert check(machine.system, Depth.CONTENT) == []
    uninstall(machine.system, "app")
    assert [path.name for path in machine.host_file(".").iterdir()] == ["edited"]


@as_root
def test_uninstall_takes_what_is_as_it_was_put_there(machine: "Machine") -> None:
    """Of symlinks and directories atomic did not know that they are: these go by what the image has."""
    checksums = {name: sha256(name) for name in ("plain", "edited", "missing")}
    for name in ("plain", "edited"):
        machine.host_file(name).write_text(name)
    machine.host_file("edited").write_text("mine")
    machine.host_file("link").symlink_to("plain")
    machine.host_file("moved").symlink_to("elsewhere")
    machine.host_file("directory").mkdir()
    checksums |= {"link": sha256("plain"), "moved": sha256("plain"), "directory": "0"}
    recorded = {str(machine.host_file(name)): checksum for name, checksum in checksums.items()}
    info = atomic_info(machine, **{"installed-files": [*recorded], "installed-files-checksum": recorded})
    deployment = deploy(machine, 0, info, exports={machine.exported("plain"): "plain"})
    hostfs = deployment / "rootfs/exports" / machine.exported(".")
    (hostfs / "link").symlink_to("plain")
    (hostfs / "moved").symlink_to("plain")
    (hostfs / "directory").mkdir()
    activate(machine, deployment, fragment="app.conf")
    deploy(machine, 1, info)
    uninstall(machine.system, "app")
    assert sorted(path.name for path in machine.host_file(".").iterdir()) == ["edited", "moved"]
    outside = [*machine.paths.units.iterdir(), *machine.paths.tmpfiles.iterdir()]
    assert outside == []
    assert [path.name for path in machine.paths.state.iterdir() if not path.name.startswith(".")] == []
    assert (machine.services.active, machine.services.enabled) == (set(), set())


@as_root
def test_a_container_without_a_service_and_rootfs_can_be_returned_to(machine: "Machine") -> None:
    """Atomic removed the rootfs once the host had the files; the host still has them then."""
    tool = machine.host_file("tool")
    tool.write_text("1")
    info = atomic_info(
        machine,
        **{
            "has-container-service": False,
            "installed-files": [str(tool)],
            "installed-files-checksum": {str(tool): sha256("1")},
        },
    )
    deployment = deploy(machine, 0, info)
    shutil.rmtree(deployment / "rootfs")
    (machine.paths.state / "app").symlink_to(deployment)
    assert check(machine.system, Depth.CONTENT) == []
    machine.store(
        "new", exports={machine.exported("tool"): "2", "manifest.json": '{"noContainerService": true}'}
    )
    update(machine.system, "app", Choices())
    assert tool.read_text() == "2"
    rollback(machine.system, "app")
    assert tool.read_text() == "1"


def test_an_interrupted_update_is_undone_before_its_commit_point(machine: "Machine") -> None:
    """The journal knows the old one by its serial, and it may be 0."""
    old_container(machine)
    machine.store("new")
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    before, runs = machine.snapshot(), ServiceState(running=True, enabled=True)
    machine.system.journals.write(
        Journal(
            operation="update",
            container="app",
            leaving=0,
            entering=2,
            before=runs,
            after=runs,
            is_fresh=True,
        )
    )
    machine.services.active.clear()
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    assert (link(machine), machine.deployed()) == ("app.0", [])


def test_taking_it_over_may_be_interrupted_anywhere(machine: "Machine") -> None:
    """What is there already of the first try is taken as it is, and other values still tell who set them."""
    old = old_container(machine, values={"PORT": "7", "LEVEL": "1"})
    (old / "host").mkdir()
    (machine.paths.tmpfiles / "tmpfiles-app.conf").rename(machine.paths.tmpfiles / "app.conf")
    machine.store("new")
    values = update(machine.system, "app", Choices()).deployment.record.values
    assert {name: one.text for name, one in values.items() if one.origin is Origin.SET} == {"PORT": "7"}
    assert [path.name for path in machine.paths.tmpfiles.iterdir()] == []


def lose_link(machine: "Machine") -> None:
    (machine.paths.state / "app").unlink()


def test_a_lost_link_is_found_again_by_repair(machine: "Machine") -> None:
    """A change of ours has noted what was active; the service goes on."""
    deploy(machine, 1, go_info(machine))
    old_container(machine)
    rollback(machine.system, "app")
    lose_link(machine)
    machine.services.calls.clear()
    assert repair(machine.system, ProxyOptions()) == []
    assert (link(machine), machine.version()) == ("app.1", "old 1")
    assert machine.services.calls == []


@pytest.mark.parametrize(
    ("unit", "created", "serial"),
    [
        (UNIT.format("/sysroot/var/app.0"), (1, 2), 0),
        (UNIT.format("/srv/app.1/rootfs"), (2, 1), 1),
        (UNIT.format("/srv/app.10"), (2, 1), 0),
        ("", (1, 2), 1),
        (None, (2, 1), 0),
    ],
    ids=["names 0", "names 1", "names another", "names none", "is missing"],
)
def test_repair_gives_a_link_to_what_the_unit_runs_else_to_the_newer_one(
    machine: "Machine", unit: str | None, created: tuple[int, int], serial: int
) -> None:
    """As the Go tool leaves it when it is killed; until then every command says that it is broken."""
    for one in (0, 1):
        activate(machine, deploy(machine, one, go_info(machine, created=created[one])))
    on_host = machine.paths.units / "app.service"
    on_host.unlink() if unit is None else on_host.write_text(unit)
    lose_link(machine)
    (problem,) = check(machine.system, Depth.NAMES)
    way_out = f"os-containers repair points it to deployment {serial} again"
    assert (problem.invariant, problem.what, problem.hint) == ("I1", "the symlink is missing", way_out)
    missing = f"the symlink {machine.paths.state / 'app'} is missing"
    one = listed(machine)
    assert (one.state, one.problem, one.hint) == ("broken", missing, way_out)
    assert container_status(machine.system, "app", lines=0).problem == missing
    with pytest.raises(BrokenError, match=missing):
        update(machine.system, "app", Choices())
    prune(machine.system)
    assert repair(machine.system, ProxyOptions()) == []
    assert (link(machine), listed(machine).state) == (f"app.{serial}", "running")
    assert machine.services.active == {"app.service"}


def test_repair_does_not_lead_away_from_what_runs_and_cannot_be_read(machine: "Machine") -> None:
    """The other one would take its place, and it would be removed under its service."""
    deploy(machine, 0, go_info(machine))
    running = deploy(machine, 1, go_info(machine))
    activate(machine, running)
    (running / "info").write_text("{")
    lose_link(machine)
    (problem,) = repair(machine.system, ProxyOptions())
    assert (problem.what, problem.hint) == ("the symlink is missing", reinstall("app"))
    assert sorted(path.name for path in machine.paths.state.glob("app*")) == ["app.0", "app.1"]


@pytest.mark.parametrize("info", ["{}", "damaged"])
def test_uninstall_takes_what_lost_its_link(machine: "Machine", info: str) -> None:
    """With its unit, and what is damaged of it."""
    old_container(machine)
    (deploy(machine, 1, go_info(machine)) / "info").write_text(info)
    lose_link(machine)
    uninstall(machine.system, "app")
    assert list(machine.paths.state.glob("app*")) == []
    assert list_containers(machine.system) == []
    assert check(machine.system, Depth.CONTENT) == []
    assert [*machine.paths.units.iterdir(), *machine.paths.tmpfiles.iterdir()] == []
    assert (machine.services.active, machine.services.enabled) == (set(), set())


def test_a_lost_unit_comes_from_the_host_again(machine: "Machine") -> None:
    """No image makes it anew: repair copies what the predecessor had put there, and an update goes on."""
    deployment = old_container(machine)
    (deployment / "app.service").unlink()
    machine.store("1")
    with pytest.raises(BrokenError, match=r"app\.service is missing") as caught:
        update(machine.system, "app", Choices())
    assert (caught.value.hint or "").startswith("os-containers repair; if that does not help")
    (problem,) = check(machine.system, Depth.NAMES)
    assert (problem.where, problem.hint) == (str(deployment / "app.service"), caught.value.hint)
    assert repair(machine.system, ProxyOptions()) == []
    assert (deployment / "app.service").read_text() == UNIT.format(deployment)
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    assert link(machine) == "app.0"


def test_nobody_rolls_back_to_a_deployment_without_its_unit(machine: "Machine") -> None:
    """It is found before the service is stopped."""
    deployment = old_container(machine)
    machine.store("1")
    update(machine.system, "app", Choices())
    (deployment / "app.service").unlink()
    machine.services.calls.clear()
    with pytest.raises(BrokenError, match=r"app\.service is missing"):
        rollback(machine.system, "app")
    assert machine.services.calls == []


def test_a_link_through_another_mount_of_the_same_directory_is_followed(machine: "Machine") -> None:
    """Atomic hosts have /var in two places."""
    old_container(machine)
    (machine.root / "sysroot").symlink_to(machine.paths.state)
    (machine.paths.state / "app").unlink()
    (machine.paths.state / "app").symlink_to(machine.root / "sysroot/app.0")
    assert listed(machine).state == "running"


def test_a_container_of_ours_may_be_called_like_an_old_deployment(machine: "Machine") -> None:
    """It is a symlink; where there is a directory, the name is taken."""
    old_container(machine)
    machine.store("one", name="example.org/one:latest")
    install(machine.system, "example.org/one", Choices(), name="app.1")
    with pytest.raises(ConflictError, match=r"app\.0 is in the way"):
        install(machine.system, "example.org/one", Choices(), name="app.0")
    assert [one.name for one in list_containers(machine.system)] == ["app", "app.1"]
    assert Container("app", machine.paths.state).serials() == [0]
    uninstall(machine.system, "app")
    assert [one.name for one in list_containers(machine.system)] == ["app.1"]
    assert (machine.paths.state / "app.1/rootfs/version").read_text() == "one"


def test_a_fragment_that_is_anothers_stays(machine: "Machine") -> None:
    """The container tmpfiles-app has it under the name that the Go tool gave to that of app."""
    machine.store("other", exports={"tmpfiles.template": "d /run/other - - - - -\n"})
    install(machine.system, "example.org/app", Choices(), name="tmpfiles-app")
    old_container(machine)
    uninstall(machine.system, "app")
    assert [path.name for path in machine.paths.tmpfiles.iterdir()] == ["tmpfiles-app.conf"]


def test_an_image_that_a_predecessor_pulled_is_not_damaged(machine: "Machine") -> None:
    """Its commit has the manifest, but neither image config nor merged tree; prune keeps its layers."""
    repo, image = machine.system.repo(), machine.store("1")
    layer = repo.layers()[0].digest
    commit = repo.refs.find(blob_ref(layer.hex))
    assert commit
    old = read_commit(repo.path, commit)
    with repo.transaction() as transaction:
        metadata = {"docker.manifest": image.manifest.decode(), "docker.digest": str(image.digest)}
        written = transaction.write_commit((old.dirtree, old.dirmeta), metadata)
        transaction.set_ref(image_ref(image.name), written)
    assert check(machine.system, Depth.CONTENT) == []
    assert repo.images() == []
    assert prune(machine.system).refs == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_what_a_rootfs_has_come_to_export_since_is_not_taken_over(machine: "Machine") -> None:
    """Nobody kept a predecessor's container from writing there; only what is recorded was ever installed."""
    added = machine.exported("etc/cron.d/evil")
    exports = {"manifest.json": MANIFEST % (1, 1), added: "* * * * * root /bin/evil\n"}
    activate(machine, deploy(machine, 0, go_info(machine), exports=exports))
    machine.store("1", exports={"manifest.json": MANIFEST % (1, 1)})
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    assert not machine.host_file("etc/cron.d/evil").exists()


def test_a_package_that_atomic_made_is_told(machine: "Machine") -> None:
    """We do not remove packages."""
    activate(machine, deploy(machine, 0, atomic_info(machine, **{"rpm-installed": "atomic-container-app"})))
    uninstall(machine.system, "app")
    assert (
        "the package atomic-container-app stays installed: atomic built it; remove it with rpm"
        in machine.told()
    )


def test_an_install_leaves_alone_what_lost_its_link(machine: "Machine") -> None:
    """Nobody has said that the container is to go; its service may run."""
    deploy(machine, 0, go_info(machine))
    machine.store("new")
    with pytest.raises(ConflictError, match="a container named 'app' already, without its symlink") as caught:
        install(machine.system, "example.org/app", Choices())
    ways = "os-containers repair, os-containers uninstall app, or choose another name with --name"
    assert caught.value.hint == ways
    assert (machine.paths.state / "app.0/rootfs/version").read_text() == "old 0"
