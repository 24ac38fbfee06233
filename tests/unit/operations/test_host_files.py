"""Host files through the operations: what the admin must allow, what is shared, what a kill leaves."""

import contextlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fingerprints import fingerprints
from images import File, Symlink
from scarcity import small_disk

from os_containers.deployment.record import Approved, Record
from os_containers.errors import ConflictError, PolicyError, ServiceError
from os_containers.host.host_policy import Permission
from os_containers.host.runtime import find_runtime
from os_containers.host.temporaries import temporary_for
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.choices import Choices
from os_containers.operations.find_image import stored_image
from os_containers.operations.install import install
from os_containers.operations.leftovers import find_temporaries
from os_containers.operations.preview import plan_update
from os_containers.operations.recover import recover_named
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.stage import stage
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update
from os_containers.paths import Mode

if TYPE_CHECKING:
    from conftest import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")


@as_root
def test_b74_what_was_allowed_at_install_is_allowed_on_update(machine: "Machine") -> None:
    """And not more; nothing has changed when it is refused."""
    job, other = "hostfs/etc/cron.d/os-containers-test", "hostfs/etc/sudoers.d/os-containers-test"
    machine.store("1", exports={job: "# nothing"})
    with pytest.raises(PolicyError, match=r"/etc/cron\.d/os-containers-test"):
        install(machine.system, "example.org/app", Choices())
    assert not (machine.paths.deployments / "app").exists()
    approved = stage_only(machine, Permission(("/etc/cron.d",)), Approved()).approved
    assert approved == Approved(paths=("/etc/cron.d/os-containers-test",))
    machine.store("2", exports={job: "# still nothing"})
    assert stage_only(machine, Permission(), approved).approved == approved
    machine.store("3", exports={job: "# nothing", other: "# nothing"})
    with pytest.raises(PolicyError, match=r"/etc/sudoers\.d/os-containers-test"):
        stage_only(machine, Permission(), approved)
    policy = machine.paths.config_directory / "os-containers/policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text('allow-host-paths = ["/etc/sudoers.d"]')
    assert len(stage_only(machine, Permission(), approved).approved.paths) == 2


def stage_only(machine: "Machine", permission: Permission, approved: Approved) -> Record:
    """Return the record of a deployment that never gets to the host, which is the real one here."""
    repo = machine.system.repo()
    container = machine.system.container("app")
    serial = container.next_serial()
    blueprint = Blueprint(
        "app",
        container.deployment_path(serial),
        serial,
        stored_image(repo, "example.org/app"),
        find_runtime(None, recorded="", environment=machine.system.environment),
        {},
        permission=permission,
        approved=approved,
    )
    return stage(machine.system, repo, blueprint).record


@as_root
def test_b73_a_setuid_host_file_needs_permission(machine: "Machine") -> None:
    """Then it is one on the host, too; its next version needs none."""
    program = machine.exported("program")
    machine.store("1", exports={program: File("x", mode=0o4755)})
    with pytest.raises(PolicyError, match="is setuid"):
        install(machine.system, "example.org/app", Choices())
    install(machine.system, "example.org/app", Choices(permission=Permission(setuid=True)))
    assert machine.host_file("program").stat().st_mode & 0o7777 == 0o4755
    machine.store("2", exports={program: File("y", mode=0o4755)})
    update(machine.system, "app", Choices())
    assert machine.host_file("program").read_text() == "y"


@as_root
def test_b78_a_directory_of_two_containers_goes_with_the_second(machine: "Machine") -> None:
    """Neither leaves it behind."""
    machine.store("1", exports={machine.exported("etc/shared/one"): "1"})
    install(machine.system, "example.org/app", Choices())
    machine.store("1", exports={machine.exported("etc/shared/two"): "2"}, name="example.org/second:latest")
    install(machine.system, "example.org/second", Choices())
    uninstall(machine.system, "app")
    assert machine.host_file("etc/shared/two").read_text() == "2"
    uninstall(machine.system, "second")
    assert not machine.host_file("etc").exists()


@as_root
def test_b84_what_a_killed_command_left_beside_host_files_is_recovered(machine: "Machine") -> None:
    """A version that waited goes; an edit that was just taken away is put back."""
    machine.store("1", exports={machine.exported("conf"): "1", machine.exported("tool"): "1"})
    install(machine.system, "example.org/app", Choices())
    conf, tool = machine.host_file("conf"), machine.host_file("tool")
    conf.with_name(temporary_for("app", str(conf))).write_text("edited")
    tool.with_name(temporary_for("app", str(tool))).write_text("1")
    assert len(find_temporaries(machine.system, machine.system.container("app"))) == 2
    recover_named(machine.system, "app", Start.WATCHED)
    assert find_temporaries(machine.system, machine.system.container("app")) == []
    assert sorted(path.name for path in conf.parent.iterdir()) == ["conf", "tool"]
    assert (conf.read_text(), tool.read_text()) == ("edited", "1")


@as_root
def test_b83_the_way_back_takes_what_a_failed_step_left_beside_host_files(machine: "Machine") -> None:
    """An old version that was taken away and could not be removed; an edit that was to be put back."""
    machine.store("1", exports={machine.exported("conf"): "1", machine.exported("tool"): "1"})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    conf, tool = machine.host_file("conf"), machine.host_file("tool")

    def leave_half_done() -> None:
        machine.services.on_stop = bool
        conf.rename(conf.with_name(temporary_for("app", str(conf))))
        edited = tool.rename(tool.with_name(temporary_for("app", str(tool))))
        edited.write_text("edited")

    machine.services.on_stop = leave_half_done
    machine.services.broken = {"V=2"}
    machine.store("2", exports={"service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=V=2\n"})
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices())
    assert (conf.read_text(), tool.read_text()) == ("1", "edited")
    assert sorted(path.name for path in conf.parent.iterdir()) == ["conf", "tool"]


@as_root
def test_b80_the_way_back_needs_no_room(machine: "Machine") -> None:
    """The old versions have stayed beside their places, as the admin had made them."""
    top = machine.host_file("etc")
    top.mkdir()
    with small_disk(top, "1m") as disk, contextlib.ExitStack() as filled:
        first = {machine.exported(f"etc/{name}"): "1" * 100_000 for name in ("both", "old")}
        machine.store("1", exports=first)
        install(machine.system, "example.org/app", Choices())
        machine.services.start("app.service")
        for path in top.iterdir():
            os.chown(path, 7, 8)
            path.chmod(0o640)
        before = fingerprints(top)

        def fill() -> None:
            machine.services.on_stop = bool
            filled.enter_context(disk.space_left(0))

        machine.services.on_stop = fill
        machine.services.broken = {"V=2"}
        second = {machine.exported(f"etc/{name}"): "2" * 100_000 for name in ("both", "new")}
        service = "[Service]\nExecStart=$EXEC_START\nEnvironment=V=2\n"
        machine.store("2", exports={"service.template": service, **second})
        with pytest.raises(ServiceError):
            update(machine.system, "app", Choices())
        filled.close()
        assert fingerprints(top) == before


@as_root
def test_b76_the_owner_and_mode_that_an_admin_gave_stay(machine: "Machine") -> None:
    """With a newer version, and after a rollback."""
    conf = machine.host_file("conf")
    for version in ("1", "2"):
        machine.store(version, exports={machine.exported("conf"): version})
        if version == "1":
            install(machine.system, "example.org/app", Choices())
            os.chown(conf, 7, 8)
            conf.chmod(0o640)
    update(machine.system, "app", Choices())
    assert (conf.read_text(), owner_and_mode(conf)) == ("2", (7, 8, 0o640))
    rollback(machine.system, "app")
    assert (conf.read_text(), owner_and_mode(conf)) == ("1", (7, 8, 0o640))


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@as_root
def test_b70_a_link_of_another_container_is_no_way_for_a_third(machine: "Machine") -> None:
    """What one image links, another does not write through (CVE-2025-9566)."""
    machine.store("1", exports={machine.exported("link"): Symlink(str(machine.host_file("victim")))})
    install(machine.system, "example.org/app", Choices())
    machine.host_file("victim").mkdir()
    machine.store("1", exports={machine.exported("link/x"): "x"}, name="example.org/second:latest")
    with pytest.raises(ConflictError, match="link is a symlink that a container brought"):
        install(machine.system, "example.org/second", Choices())
    assert list(machine.host_file("victim").iterdir()) == []


def test_b79_a_user_gets_no_host_files_and_is_told_which(machine: "Machine") -> None:
    """All else of the image works."""
    machine = replace(machine, paths=replace(machine.paths, mode=Mode.USER))
    machine.store("1", exports={machine.exported("one"): "x", machine.exported("inner/two"): "x"})
    deployment = install(machine.system, "example.org/app", Choices())
    one, two = machine.host_file("inner/two"), machine.host_file("one")
    assert f"only root can install host files; not copied: {one}, {two}" in machine.told()
    assert deployment.record.installed == ()
    assert list((machine.root / "host").iterdir()) == []
    assert machine.version() == "1"


def test_host_files_that_a_user_does_not_get_are_told_when_they_are_new(machine: "Machine") -> None:
    """Nobody can do anything about them: what was said of the version before is not said again."""
    machine = replace(machine, paths=replace(machine.paths, mode=Mode.USER))
    for version, names in (("1", ["one"]), ("2", ["one"]), ("3", ["one", "two"]), ("4", [])):
        machine.store(version, exports={machine.exported(name): version for name in names})
        machine.events.clear()
        if version == "1":
            install(machine.system, "example.org/app", Choices())
        else:
            plan_update(machine.system, "app", Choices())
            update(machine.system, "app", Choices())
        shown = ", ".join(str(machine.host_file(name)) for name in names)
        said = [one for one in machine.told() if one.startswith("only root can install host files")]
        times = {"1": 1, "3": 2}.get(version, 0)
        assert said == [f"only root can install host files; not copied: {shown}"] * times


@as_root
def test_b97_what_a_damaged_deployment_put_in_the_place_of_ours_goes_with_it(machine: "Machine") -> None:
    """The record of the deployment before says that the place is ours; an edit of the admin's stays."""
    for version in ("1", "2"):
        files = {machine.exported(name): f"{name} {version}" for name in ("same", "edited")}
        machine.store(version, exports=files)
        if version == "1":
            install(machine.system, "example.org/app", Choices())
    update(machine.system, "app", Choices())
    (machine.paths.deployments / "app/2/info").write_text("garbage")
    machine.host_file("edited").write_text("the admin's")
    uninstall(machine.system, "app")
    assert not machine.host_file("same").exists()
    assert machine.host_file("edited").read_text() == "the admin's"
    assert f"kept {machine.host_file('edited')}: it was changed since it was installed" in machine.told()


@as_root
def test_b97_what_no_record_tells_of_stays_and_is_told(machine: "Machine") -> None:
    """Somebody may have had the same file there before us."""
    machine.store("1", exports={machine.exported("file"): "1"})
    install(machine.system, "example.org/app", Choices())
    (machine.paths.deployments / "app/1/info").unlink()
    uninstall(machine.system, "app")
    path = machine.host_file("file")
    assert path.read_text() == "1"
    assert f"kept {path}: no record says whether it was there before" in machine.told()


@as_root
def test_b76_an_owner_that_the_admin_has_given_stays(machine: "Machine") -> None:
    """Over an update and the way back."""
    for version in ("1", "2"):
        machine.store(version, exports={machine.exported("file"): version})
        if version == "1":
            install(machine.system, "example.org/app", Choices())
    path = machine.host_file("file")
    os.chown(path, 1, 2)
    path.chmod(0o640)
    update(machine.system, "app", Choices())
    status = path.stat()
    assert path.read_text() == "2"
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1, 2, 0o640)
    rollback(machine.system, "app")
    assert (path.read_text(), path.stat().st_uid, path.stat().st_gid) == ("1", 1, 2)
