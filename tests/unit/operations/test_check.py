"""What check says about damage; each test damages one thing and names the invariant."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.deployment.container import Container
from os_containers.errors import BrokenError, BusyError, ConflictError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.control import stop_service
from os_containers.operations.install import install
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.prune import prune
from os_containers.operations.recover import recover_all, recover_named
from os_containers.operations.repair import repair
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

Damage = Callable[["Machine"], object]
STOPPED = ServiceState(running=False, enabled=True)


def deployment(machine: "Machine") -> Path:
    return machine.paths.deployments / "app/1"


def objects(machine: "Machine", kind: str) -> list[Path]:
    return sorted(machine.paths.repo.glob(f"objects/*/*.{kind}"))


def ref(machine: "Machine", name: str) -> Path:
    (path,) = (machine.paths.repo / "refs/heads").rglob(name)
    return path


def layer_ref(machine: "Machine") -> Path:
    (image,) = machine.system.repo().images()
    return ref(machine, image.layers()[0].digest.hex)


def interrupted(machine: "Machine") -> None:
    journal = Journal(
        operation="update",
        container="app",
        leaving=1,
        entering=2,
        before=STOPPED,
        after=STOPPED,
        is_fresh=True,
    )
    machine.system.journals.write(journal)


def garble_journal(machine: "Machine") -> None:
    interrupted(machine)
    machine.system.journals.path("app").write_text("garbage")


def change_byte(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def file_object(machine: "Machine") -> Path:
    """Return the object of the image's file /version."""
    inode = (deployment(machine) / "rootfs/version").stat().st_ino
    return next(path for path in objects(machine, "file") if path.lstat().st_ino == inode)


def damage_file(machine: "Machine") -> None:
    os.chmod(file_object(machine), 0o644)  # noqa: PTH101 - the mode is the one it has
    file_object(machine).write_bytes(b"rotten")


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def link(machine: "Machine") -> Path:
    return machine.paths.state / "app"


def relink(machine: "Machine", target: str) -> None:
    link(machine).unlink()
    link(machine).symlink_to(target)


def remove_container(machine: "Machine") -> None:
    """Leave of a container what an uninstall leaves that was killed at its end."""
    machine.system.container("app").forget()
    (machine.paths.units / "app.service").unlink()


def edit_rootfs(machine: "Machine") -> None:
    """Replace a file as sed does in place: the store keeps its own."""
    path = deployment(machine) / "rootfs/version"
    path.unlink()
    path.write_text("2")


DAMAGES: list[tuple[str, str, Damage]] = [
    ("I1", "info is not a deployment's record", lambda m: (deployment(m) / "info").write_text("{")),
    ("I1", "info cannot be read", lambda m: (deployment(m) / "info").unlink()),
    (
        "I1",
        "runtime configuration cannot be used",
        lambda m: (deployment(m) / "config.json").write_text("[]"),
    ),
    ("I1", "files of deployment 1 of app differ from its image: 1,", edit_rootfs),
    ("I1", "has no rootfs", lambda m: shutil.rmtree(deployment(m) / "rootfs")),
    (
        "I1",
        "no rollback can return to it",
        lambda m: (m.paths.deployments / "app/7").mkdir(),
    ),
    ("I1", "has no unit", lambda m: (deployment(m) / "app.service").unlink()),
    (
        "I2",
        "this is in the way of a file of os-containers",
        lambda m: replace_by_directory(m.paths.units / "app.service"),
    ),
    (
        "I2",
        "this is in the way of a file of os-containers",
        lambda m: replace_by_file(m.paths.units / "app.service.d"),
    ),
    (
        "I2",
        "this file of os-containers was changed",
        lambda m: (m.paths.units / "app.service").write_text("[Unit]\n"),
    ),
    ("I2", "this file of os-containers is missing", lambda m: (m.paths.units / "app.service").unlink()),
    ("I5", "temporary file", lambda m: (m.paths.units / ".os-containers-app.service@01").touch()),
    ("I9", "is damaged", lambda m: ref(m, "example.org_2Fapp_3Alatest").write_text("garbage")),
    ("I9", "the repo has no config", lambda m: (m.paths.repo / "config").unlink()),
    ("I9", "cannot open the repo", lambda m: (m.paths.repo / "config").write_text("garbage")),
    ("I9", "cannot open the repo", lambda m: shutil.rmtree(m.paths.repo / "objects")),
    ("I9", "the blob sha256:", lambda m: layer_ref(m).unlink()),
    ("I10", "does not match its checksum", damage_file),
    ("I10", "does not match its checksum", lambda m: replace_by_directory(file_object(m))),
    ("I9", "it is a directory", lambda m: replace_by_directory(ref(m, "example.org_2Fapp_3Alatest"))),
    ("I9", "the blob sha256:", lambda m: replace_by_directory(layer_ref(m))),
    ("I11", "is not pinned", lambda m: replace_by_directory(ref(m, "1"))),
    ("I11", "is not pinned", lambda m: ref(m, "1").unlink()),
    ("I12", "left this", lambda m: (m.paths.staging / "app-x").mkdir()),
    ("I13", "was interrupted", interrupted),
    ("I13", "this is not a journal", garble_journal),
    ("I1", "the symlink is missing", lambda m: link(m).unlink()),
    ("I1", "does not point to a deployment", lambda m: relink(m, "/tmp")),
    ("I1", "info cannot be read", lambda m: relink(m, ".deploy/app/77")),
    ("I16", "app is not a container, but deployments of it are left", remove_container),
]


@pytest.mark.parametrize(
    ("invariant", "what", "damage"), DAMAGES, ids=[f"{one[0]}-{one[1][:24]}" for one in DAMAGES]
)
def test_check_names_what_is_damaged(machine: "Machine", invariant: str, what: str, damage: Damage) -> None:
    """And says nothing where all is well."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    assert check(machine.system, Depth.CONTENT) == []
    damage(machine)
    before = machine.snapshot()
    found = [one for one in check(machine.system, Depth.CONTENT) if one.invariant == invariant]
    assert [one for one in found if what in one.what] != []
    assert all(one.hint and one.where for one in found)
    assert machine.snapshot() == before


def test_i9_b93_an_image_with_a_missing_object_is_named(machine: "Machine") -> None:
    """The quick check finds it, too; other images are not touched by it."""
    machine.store("1")
    machine.store("2", name="example.org/other:1")
    for path in objects(machine, "file"):
        if path.read_bytes() == b"2":
            path.unlink()
    found = check(machine.system, Depth.NAMES)
    assert [(one.invariant, "example.org/other:1" in one.what) for one in found] == [("I9", True)]


def test_check_of_nothing_makes_nothing(machine: "Machine") -> None:
    """Not even the state directory."""
    assert check(machine.system, Depth.CONTENT) == []
    assert not machine.paths.state.exists()


def test_b88_what_was_not_looked_at_does_not_count_as_sound(machine: "Machine") -> None:
    """Whoever monitors a host gets exit code 7 for it, no empty list; what is wrong elsewhere is found."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    install(machine.system, "example.org/app", Choices(), name="other")
    with machine.system.locked(machine.system.container("app")):
        with pytest.raises(BusyError, match="not everything could be checked") as caught:
            check(machine.system.at_once(), Depth.NAMES)
        assert caught.value.hint == "wait for it to end, or give --lock-timeout"
        assert any(one.startswith("app is not checked: process ") for one in machine.told())
        (machine.paths.units / "other.service").unlink()
        (problem,) = check(machine.system.at_once(), Depth.NAMES)
    assert problem.where == str(machine.paths.units / "other.service")


def test_b88_check_waits_once_for_who_prunes(machine: "Machine") -> None:
    """Not once for each container; the store is named as well."""
    machine.store("1")
    for name in ("a", "b", "c"):
        install(machine.system, "example.org/app", Choices(), name=name)
    before = time.monotonic()
    with machine.system.store_locked(), pytest.raises(BusyError):
        check(replace(machine.system, lock_timeout=0.5), Depth.CONTENT)
    assert time.monotonic() - before < 1
    assert [one.partition(":")[0] for one in machine.told()[-4:]] == [
        *(f"{name} is not checked" for name in ("a", "b", "c", "the store")),
    ]


@pytest.mark.parametrize("name", ["", ".locks", ".journal", ".trash", ".staging", ".deploy", ".storage"])
def test_b96_a_file_where_a_directory_of_ours_belongs_is_named(machine: "Machine", name: str) -> None:
    """Every command says which one to move away; then all is well."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    path = machine.paths.state / name
    path.mkdir(exist_ok=True)
    path.rename(machine.root / "aside")
    path.write_text("somebody's")
    (problem,) = check(machine.system, Depth.NAMES)
    assert (problem.what, problem.where) == ("this is not a directory", str(path))
    commands: tuple[Callable[[], object], ...] = (
        lambda: install(machine.system, "example.org/app", Choices(), name="other"),
        lambda: uninstall(machine.system, "app"),
        lambda: recover_named(machine.system, "app", Start.WATCHED),
        lambda: repair(machine.system, ProxyOptions()),
        lambda: prune(machine.system),
    )
    for command in commands:
        with pytest.raises(BrokenError) as caught:
            command()
        said = (caught.value.message, caught.value.hint)
        assert said == (f"{path} is not a directory", f"move {path} away, then try again")
    assert path.read_text() == "somebody's"
    path.unlink()
    (machine.root / "aside").rename(path)
    assert check(machine.system, Depth.NAMES) == []


MENDED_ALONE = {"I5", "I11", "I12", "I16"}
MENDED_OFTEN = ("differ", "rollback", "runtime", "rootfs", "symlink", "point", "no unit", "this file of")
REPAIRED = [
    (invariant, damage)
    for invariant, what, damage in DAMAGES
    if invariant in MENDED_ALONE or any(one in what for one in MENDED_OFTEN)
]


def remove_kept(machine: "Machine") -> None:
    """Remove what was in a unit before it was mended."""
    for path in machine.paths.units.glob("*.os-containers-old"):
        path.unlink()


@pytest.mark.parametrize(("invariant", "damage"), REPAIRED)
def test_repair_mends_without_the_registry(machine: "Machine", invariant: str, damage: Damage) -> None:
    """What the store and the records have is enough for these."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    damage(machine)
    assert repair(machine.system, ProxyOptions()) == []
    remove_kept(machine)
    if invariant != "I16":
        assert machine.snapshot() == before
        assert machine.version() == "1"


def test_b94_what_somebody_put_into_a_directory_in_the_store_is_not_lost(machine: "Machine") -> None:
    """Repair says what to move; other objects are mended meanwhile."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    pin = ref(machine, "1")
    replace_by_directory(pin)
    (pin / "data").touch()
    (problem,) = repair(machine.system, ProxyOptions())
    assert (problem.invariant, problem.what) == ("I11", "a deployment's commit is not pinned")
    hint = f"move {pin} away, then: os-containers repair"
    assert any(
        one.endswith(f"the ref {pin} is a directory with something in it; {hint}") for one in machine.told()
    )
    (pin / "data").unlink()
    assert repair(machine.system, ProxyOptions()) == []


def test_b98_a_damaged_journal_is_said_to_be_moved_away(machine: "Machine") -> None:
    """Recover would only say that it cannot read it; without it repair sees to the rest."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    garble_journal(machine)
    (machine.paths.units / "app.service").write_text("half of it")
    path = machine.system.journals.path("app")
    (problem,) = [one for one in check(machine.system, Depth.NAMES) if one.invariant == "I13"]
    assert problem.hint == f"see whether app is as you want it, move {path} away, then: os-containers repair"
    with pytest.raises(BrokenError, match="not a journal") as caught:
        recover_named(machine.system, "app", Start.WATCHED)
    assert caught.value.hint == problem.hint
    repair(machine.system, ProxyOptions())
    assert any(one.endswith(f"; {problem.hint}") for one in machine.told())
    path.unlink()
    assert repair(machine.system, ProxyOptions()) == []
    remove_kept(machine)
    assert machine.snapshot() == before


def test_b95_a_damaged_repo_as_a_whole_is_one_problem(machine: "Machine") -> None:
    """No pin is said to be missing, and every command says the same."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    repo = machine.paths.repo
    (repo / "config").write_text("garbage")
    (problem,) = check(machine.system, Depth.CONTENT)
    hint = f"move {repo} away, then: os-containers repair, which fetches what containers need"
    assert (problem.invariant, problem.where, problem.hint) == ("I9", str(repo), hint)
    with pytest.raises(BrokenError, match="cannot open the repo") as caught:
        uninstall(machine.system, "app")
    assert caught.value.hint == hint


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_host_files_of_a_deployment_are_rendered_again(machine: "Machine") -> None:
    """Without them the way back to it would remove them from the host."""
    machine.store("1", exports={machine.exported("file"): "1"})
    install(machine.system, "example.org/app", Choices())
    shutil.rmtree(deployment(machine) / "host")
    assert "put on the host" in check(machine.system, Depth.NAMES)[0].what
    assert repair(machine.system, ProxyOptions()) == []
    rendered = deployment(machine) / "host" / str(machine.host_file("file")).lstrip("/")
    assert rendered.read_text() == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_i5_host_files_that_are_gone_are_named_and_put_back(machine: "Machine") -> None:
    """With the directories they were in; what else the image brought and somebody has changed stays."""
    names = ("kept", "edited", "d/e/gone")
    machine.host_file("edited").write_text("there before")
    machine.store("1", exports={machine.exported(name): name for name in names})
    install(machine.system, "example.org/app", Choices())
    machine.host_file("edited").unlink()
    machine.host_file("kept").write_text("by hand")
    shutil.rmtree(machine.host_file("d"))
    found = {one.where: one for one in check(machine.system, Depth.NAMES)}
    gone = str(machine.host_file("d/e/gone"))
    assert found.keys() == {gone, *map(str, (machine.host_file("d"), machine.host_file("d/e")))}
    assert (found[gone].invariant, found[gone].what) == ("I5", "this host file of app is missing")
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.host_file("d/e/gone").read_text() == "d/e/gone"
    assert machine.host_file("kept").read_text() == "by hand"
    # that one was never ours
    assert not machine.host_file("edited").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_i8_an_edited_host_file_is_no_problem_but_told(machine: "Machine") -> None:
    """It is its editor's; what would stop an update is one."""
    machine.store("1", exports={machine.exported(name): "1" for name in ("edited", "blocked")})
    install(machine.system, "example.org/app", Choices())
    machine.host_file("edited").write_text("by hand")
    assert check(machine.system, Depth.NAMES) == []
    said = f"{machine.host_file('edited')} of app was changed: it stays as it is"
    assert said in machine.told()
    replace_by_directory(machine.host_file("blocked"))
    (problem,) = check(machine.system, Depth.NAMES)
    assert (problem.invariant, problem.where) == ("I5", str(machine.host_file("blocked")))
    assert problem.hint == "move it away, then: os-containers repair"
    machine.host_file("blocked").rmdir()
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.host_file("blocked").read_text() == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_i5_what_is_put_back_is_recorded_as_it_is_now(machine: "Machine") -> None:
    """An edit was based on version 1; removed, and put back by repair, it is version 2."""
    for version in ("1", "2"):
        machine.store(version, exports={machine.exported("x"): version})
        if version == "1":
            install(machine.system, "example.org/app", Choices())
            machine.host_file("x").write_text("by hand")
    update(machine.system, "app", Choices())
    machine.host_file("x").unlink()
    machine.host_file("x.os-containers-new").unlink()
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.host_file("x").read_text() == "2"
    assert not machine.host_file("x.os-containers-new").exists()
    uninstall(machine.system, "app")
    assert list(machine.host_file("").iterdir()) == []


def with_value(machine: "Machine", version: str) -> None:
    """Store a version whose unit and host file have the value of A."""
    exports: dict[str, str | bytes] = {
        "service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=A=$A\n",
        "manifest.json": '{"defaultValues": {"A": "default"}}',
    }
    if os.geteuid() == 0:
        exports |= {machine.exported(name): version for name in ("both", f"only-{version}")}
    machine.store(version, exports=exports)


@pytest.mark.parametrize("damage", ["", "{"], ids=["missing", "garbage"])
@pytest.mark.parametrize("settings", [{}, {"A": "new"}], ids=["the-same-values", "other-values"])
def test_b97_a_damaged_record_is_made_anew_from_the_one_before(
    machine: "Machine", damage: str, settings: dict[str, str]
) -> None:
    """Both ways are open again; that values were lost is said, unless those known make the same files."""
    with_value(machine, "1")
    install(machine.system, "example.org/app", Choices({"A": "set"}))
    first = machine.snapshot()
    with_value(machine, "2")
    update(machine.system, "app", Choices(settings))
    second = machine.snapshot()
    info = machine.paths.deployments / "app/2/info"
    info.write_text(damage)
    if not damage:
        info.unlink()
    (problem,) = check(machine.system, Depth.NAMES)
    assert problem.hint.startswith("os-containers repair; if that does not help: os-containers uninstall app")
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.snapshot() == second
    lost = "the values set with it are lost: give them again with --set at the next update"
    assert any(lost in one for one in machine.told()) is bool(settings)
    rollback(machine.system, "app")
    if os.geteuid() == 0:
        # nobody can tell whether that was there before
        del second[str(machine.host_file("only-2"))]
        machine.host_file("only-2").unlink()
    assert (machine.version(), machine.snapshot()) == ("1", first)
    rollback(machine.system, "app")
    assert machine.version() == "2"
    assert check(machine.system, Depth.NAMES) == []
    assert (info.parent / "info.damaged").exists() is bool(damage)


def test_a_container_of_ours_without_its_symlink_is_listed(machine: "Machine") -> None:
    """It runs; whoever looks for it is told how to mend it, and stops or installs nothing by mistake."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    link(machine).unlink()
    (one,) = list_containers(machine.system)
    way_out = "os-containers repair points it to deployment 1 again"
    assert (one.name, one.state, one.hint) == ("app", "broken", way_out)
    with pytest.raises(ConflictError, match="without its symlink"):
        install(machine.system, "example.org/app", Choices())
    stop_service(machine.system, "app")
    assert machine.services.active == set()
    uninstall(machine.system, "app")
    assert (list_containers(machine.system), machine.deployed()) == ([], [])


def test_what_is_being_uninstalled_is_not_listed_as_broken(machine: "Machine") -> None:
    """Neither by whoever looks meanwhile, nor after it was killed: recover ends it."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.system.journals.write(
        Journal(
            operation="uninstall",
            container="app",
            leaving=1,
            entering=None,
            before=STOPPED,
            after=STOPPED,
            is_fresh=False,
        )
    )
    link(machine).unlink()
    assert list_containers(machine.system) == []


def test_b97_a_damaged_record_without_another_is_told(machine: "Machine") -> None:
    """With what is lost; nothing is guessed."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    (deployment(machine) / "info").write_text("{")
    (problem,) = repair(machine.system, ProxyOptions())
    again = "os-containers uninstall app, then install it again with its --set values; its data stay"
    assert problem.hint == f"os-containers repair; if that does not help: {again}"


@pytest.mark.parametrize("target", ["elsewhere", "elsewhere/17"])
def test_b97_a_link_that_was_bent_is_no_damaged_record(machine: "Machine", target: str) -> None:
    """What it leads to is not ours, and stays as it is."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2")
    update(machine.system, "app", Choices())
    other = machine.paths.state / target
    other.mkdir(parents=True)
    (other / "info").write_text("theirs")
    Container("app", machine.paths.state).spare_link.unlink()
    relink(machine, target)
    assert any(problem.invariant == "I1" for problem in repair(machine.system, ProxyOptions()))
    assert [path.name for path in other.iterdir()] == ["info"]
    assert (other / "info").read_text() == "theirs"


def test_i11_a_pin_of_a_change_that_is_under_way_is_no_orphan(machine: "Machine") -> None:
    """A change pins before its deployment has its name."""
    machine.store("1")
    repo = machine.system.repo()
    repo.pins.add("app", 7, machine.system.repo().image("example.org/app:latest").commit)
    with machine.system.locked(Container("app", machine.paths.state)):
        assert check(machine.system, Depth.NAMES) == []
    assert [problem.invariant for problem in check(machine.system, Depth.NAMES)] == ["I11"]


def test_i11_a_directory_among_the_pins_hinders_nobody(machine: "Machine") -> None:
    """It is named, and recovery goes on."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    (machine.paths.repo / "refs/heads/os-containers/deploy/app/x").mkdir()
    (problem,) = check(machine.system, Depth.NAMES)
    assert (problem.invariant, problem.where) == ("I11", "os-containers/deploy/app/x")
    recover_all(machine.system, Start.QUEUED)


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_i2_the_unit_is_mended_whatever_is_in_the_way_of_a_host_file(machine: "Machine") -> None:
    """Each is told by itself."""
    machine.store("1", exports={machine.exported("a"): "1", machine.exported("b"): "1"})
    install(machine.system, "example.org/app", Choices())
    machine.host_file("a").unlink()
    replace_by_directory(machine.host_file("b"))
    unit = machine.paths.units / "app.service"
    unit.write_text("edited")
    repair(machine.system, ProxyOptions())
    assert unit.read_text() != "edited"


def test_b96_what_runs_without_its_symlink_is_not_taken_for_a_leftover(machine: "Machine") -> None:
    """Neither recover nor prune takes the files away under it; repair finds its place again."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    link(machine).unlink()
    recover_all(machine.system, Start.QUEUED)
    prune(machine.system)
    assert (deployment(machine) / "rootfs/version").read_text() == "1"
    (problem,) = check(machine.system, Depth.CONTENT)
    assert problem.invariant == "I1"
    assert problem.hint == "os-containers repair points it to deployment 1 again"
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.version() == "1"
    assert machine.snapshot() == before


def test_b96_the_symlink_is_mended_to_what_it_named_and_not_to_the_newest(machine: "Machine") -> None:
    """After a rollback; both deployments have the same unit."""
    service = {"service.template": "[Service]\nExecStart=$EXEC_START\n"}
    machine.store("1", exports=service)
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports=service)
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    link(machine).unlink()
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.version() == "1"


def test_b96_a_container_without_its_symlink_can_be_uninstalled(machine: "Machine") -> None:
    """Nothing of it stays on the host."""
    before = machine.snapshot()
    machine.store("1", exports={machine.exported("x"): "x"} if os.geteuid() == 0 else {})
    install(machine.system, "example.org/app", Choices())
    link(machine).unlink()
    uninstall(machine.system, "app")
    assert machine.snapshot() == before
    assert check(machine.system, Depth.CONTENT) == []


def test_b96_uninstall_stops_nothing_when_a_directory_has_the_name(machine: "Machine") -> None:
    """It says what to move; then repair mends it."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    link(machine).unlink()
    link(machine).mkdir()
    machine.services.calls.clear()
    with pytest.raises(BrokenError, match="is not a symlink") as caught:
        uninstall(machine.system, "app")
    assert caught.value.hint == "move it away, then try again"
    assert machine.services.calls == []
    link(machine).rmdir()
    assert repair(machine.system, ProxyOptions()) == []
    assert (machine.version(), machine.snapshot()) == ("1", before)


def test_repair_of_what_is_sound_does_not_trouble_systemd(machine: "Machine") -> None:
    """Nothing is written, reloaded or told."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.calls.clear()
    machine.events.clear()
    assert repair(machine.system, ProxyOptions()) == []
    assert (machine.services.calls, machine.told()) == ([], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's units are elsewhere")
def test_a_mask_is_what_somebody_wants(machine: "Machine") -> None:
    """It is told and stays, and no update takes it away."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    unit = machine.paths.units / "app.service"
    unit.unlink()
    unit.symlink_to(os.devnull)
    assert check(machine.system, Depth.CONTENT) == []
    assert "app.service is masked: it stays masked, and nothing starts it" in machine.told()
    assert repair(machine.system, ProxyOptions()) == []
    machine.store("2")
    with pytest.raises(ConflictError, match=r"app\.service is masked"):
        update(machine.system, "app", Choices())
    assert unit.readlink() == Path(os.devnull)
    assert machine.version() == "1"


@pytest.mark.parametrize(("name", "stays"), [("127.0.0.1:1/app", True), ("localhost/app", False)])
def test_what_no_registry_gives_is_put_back(machine: "Machine", name: str, stays: bool) -> None:  # noqa: FBT001
    """But for what none has: a layout gives what is missing, and nothing else."""
    machine.store("1", name=f"{name}:latest")
    install(machine.system, name, Choices())
    damaged = file_object(machine)
    damage_file(machine)
    assert repair(machine.system, ProxyOptions()) != []
    assert damaged.exists() is stays
    machine.store("1", name=f"{name}:latest")
    assert damaged.exists()
    assert (repair(machine.system, ProxyOptions()) == []) is not stays
