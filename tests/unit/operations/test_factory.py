"""Containers that the distribution brings: used as they are, updated over, and given back."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scarcity import unreadable

from os_containers.deployment import factory
from os_containers.deployment.deployment import save_record
from os_containers.errors import BrokenError, ConflictError, ServiceError, SystemFaultError
from os_containers.host.hostfiles import Action
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.control import restart_service, start_service, stop_service
from os_containers.operations.install import install
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.preview import plan_install, plan_uninstall, plan_update
from os_containers.operations.prune import prune
from os_containers.operations.recover import recover_all, recover_named
from os_containers.operations.repair import repair
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.status import container_status
from os_containers.operations.system import System
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

NAME = "example.org/app:latest"
UNIT = "[Service]\nExecStart=$EXEC_START\nEnvironment=GREETING=$GREETING\n[Install]\nWantedBy=a.target\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user has no containers of the distribution")


def store(machine: "Machine", version: str) -> None:
    manifest = json.dumps({"defaultValues": {"GREETING": "hi"}})
    machine.store(version, exports={"manifest.json": manifest, "service.template": UNIT})


@pytest.fixture
def preinstalled(machine: "Machine") -> Iterator["Machine"]:
    """Give a host whose distribution brings the container app of version 1, enabled and running."""
    store(machine, "1")
    installed = install(machine.system, NAME, Choices({"GREETING": "hello"}))
    place = machine.root / "usr-lib/app"
    shutil.copytree(installed.path, place, symlinks=True)
    shutil.rmtree(place / "host")
    record = replace(installed.record, installed=(), directories=(), was_active=False)
    save_record(place, record)
    uninstall(machine.system, "app")
    machine.paths = replace(machine.paths, factories=place.parent)
    machine.services.foreign.add("app.service")
    machine.services.enabled.add("app.service")
    machine.services.active.add("app.service")
    before = read(place)
    yield machine
    assert read(place) == before


def read(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def own_units(machine: "Machine") -> list[str]:
    return sorted(path.name for path in machine.paths.units.rglob("app*"))


def test_it_is_listed_and_used_as_it_is(preinstalled: "Machine") -> None:
    """Nothing of ours is made for it."""
    system = preinstalled.system
    (listed,) = list_containers(system)
    assert (listed.name, listed.state, listed.preinstalled) == ("app", "running", True)
    stop_service(system, "app")
    start_service(system, "app")
    (deployment,) = container_status(system, "app", lines=0).deployments
    assert (deployment.serial, deployment.active, deployment.preinstalled) == (factory.SERIAL, True, True)
    assert not (preinstalled.paths.state / "app").exists()


def test_its_name_is_taken_and_it_is_not_ours_to_remove(preinstalled: "Machine") -> None:
    """Both say what can be done."""
    with pytest.raises(ConflictError, match="the system provides"):
        install(preinstalled.system, NAME, Choices())
    with pytest.raises(ConflictError, match="part of the system"):
        uninstall(preinstalled.system, "app")


def test_an_update_takes_its_place_and_a_rollback_gives_it_back(preinstalled: "Machine") -> None:
    """Values stay, running and enabled, too; twice returns to ours, and --factory works from a third one."""
    machine, system = preinstalled, preinstalled.system
    store(machine, "2")
    entered = update(system, "app", Choices()).deployment
    assert machine.version() == "2"
    assert entered.record.values["GREETING"].text == "hello"
    assert own_units(machine) == ["app.service", "app.service.d"]
    assert machine.services.active == {"app.service"}
    rollback(system, "app")
    assert own_units(machine) == []
    assert not (machine.paths.state / "app").exists()
    assert machine.services.active == machine.services.enabled == {"app.service"}
    assert machine.deployed() == ["1"]
    prune(system)
    recover_all(system, Start.WATCHED)
    rollback(system, "app")
    assert machine.version() == "2"
    store(machine, "3")
    update(system, "app", Choices())
    assert rollback(system, "app", serial=factory.SERIAL).is_factory


@pytest.mark.parametrize("name", ["units/app.service", "tmpfiles.d/app.conf"])
def test_what_somebody_has_in_its_place_is_not_taken_by_an_update(preinstalled: "Machine", name: str) -> None:
    """A unit of `systemctl edit --full`, or a fragment in /etc: it would be lost."""
    own = preinstalled.root / name
    own.write_text("mine")
    store(preinstalled, "2")
    with pytest.raises(ConflictError, match=f"{own} already overrides what the system provides"):
        plan_update(preinstalled.system, "app", Choices())
    with pytest.raises(ConflictError, match=f"{own} already overrides what the system provides"):
        update(preinstalled.system, "app", Choices())
    assert own.read_text() == "mine"
    assert preinstalled.deployed() == []
    assert preinstalled.services.active == {"app.service"}


def test_one_that_is_masked_is_not_unmasked_by_an_update(preinstalled: "Machine") -> None:
    """Whoever masked it wants it to stay down."""
    unit = preinstalled.paths.units / "app.service"
    unit.symlink_to("/dev/null")
    store(preinstalled, "2")
    with pytest.raises(ConflictError, match=r"app\.service is masked"):
        update(preinstalled.system, "app", Choices())
    assert unit.is_symlink()
    for start in (start_service, restart_service):
        with pytest.raises(ConflictError, match=r"app\.service is masked"):
            start(preinstalled.system, "app")


def test_an_uninstall_removes_what_is_ours_and_gives_it_back(preinstalled: "Machine") -> None:
    """It runs if ours ran."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    uninstall(preinstalled.system, "app")
    assert own_units(preinstalled) == []
    assert preinstalled.deployed() == []
    assert preinstalled.services.active == {"app.service"}
    assert list_containers(preinstalled.system)[0].preinstalled


def test_what_is_left_of_ours_behind_a_rollback_can_be_removed(preinstalled: "Machine") -> None:
    """By uninstall, as long as there is something."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    rollback(preinstalled.system, "app")
    uninstall(preinstalled.system, "app")
    assert preinstalled.deployed() == []
    assert preinstalled.services.active == {"app.service"}


def test_a_version_that_does_not_start_gives_way_to_it(preinstalled: "Machine") -> None:
    """Nothing of ours is left."""
    preinstalled.services.broken.add("GREETING=broken")
    store(preinstalled, "2")
    with pytest.raises(ServiceError):
        update(preinstalled.system, "app", Choices({"GREETING": "broken"}))
    assert own_units(preinstalled) == []
    assert preinstalled.deployed() == []
    assert preinstalled.services.active == {"app.service"}


def test_check_and_repair_leave_it_alone(preinstalled: "Machine") -> None:
    """Before an update over it, after that, and after the way back."""
    machine, system = preinstalled, preinstalled.system

    def sound() -> None:
        assert [problem.what for problem in check(system, Depth.CONTENT)] == []
        repair(system, ProxyOptions())

    sound()
    store(machine, "2")
    update(system, "app", Choices())
    sound()
    rollback(system, "app")
    sound()


def test_a_lost_link_of_ours_is_not_taken_for_it(preinstalled: "Machine") -> None:
    """The spare link tells, and repair mends it."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    (preinstalled.paths.state / "app").unlink()
    assert [problem.invariant for problem in check(preinstalled.system, Depth.CONTENT)] != []
    repair(preinstalled.system, ProxyOptions())
    assert preinstalled.version() == "2"


@pytest.mark.parametrize("operation", ["rollback", "uninstall"])
def test_a_way_back_that_was_killed_behind_its_commit_point_is_finished(
    preinstalled: "Machine", operation: str
) -> None:
    """The link is gone and the spare one is not: the distribution's is what was to be active."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    state = ServiceState(running=True, enabled=True)
    journal = Journal(
        operation=operation,
        container="app",
        leaving=1,
        entering=factory.SERIAL,
        before=state,
        after=state,
        is_fresh=False,
    )
    preinstalled.system.journals.write(journal)
    (preinstalled.paths.state / "app").unlink()
    recover_all(preinstalled.system, Start.WATCHED)
    assert own_units(preinstalled) == []
    assert preinstalled.deployed() == ([] if operation == "uninstall" else ["1"])
    assert list_containers(preinstalled.system)[0].preinstalled


def test_recovery_tells_systemd_what_a_killed_way_back_had_not(preinstalled: "Machine") -> None:
    """The unit files were gone, and systemd had the unit as it was in /etc: it would start what is gone."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    state = ServiceState(running=True, enabled=True)
    journal = Journal(
        operation="rollback",
        container="app",
        leaving=1,
        entering=factory.SERIAL,
        before=state,
        after=state,
        is_fresh=False,
    )
    preinstalled.system.journals.write(journal)
    preinstalled.system.container("app").forget()
    shutil.rmtree(preinstalled.paths.units / "app.service.d")
    (preinstalled.paths.units / "app.service").unlink()
    preinstalled.services.stale.add("app.service")
    recover_all(preinstalled.system, Start.WATCHED)
    assert preinstalled.services.stale == set()
    assert preinstalled.services.active == {"app.service"}


def test_its_directories_are_there_again_when_ours_goes(preinstalled: "Machine") -> None:
    """The fragment of ours may have removed what it wants; what only ours made goes, as of any container."""
    machine, system = preinstalled, preinstalled.system
    extra, shared = machine.root / "lib/extra", machine.root / "lib/shared"
    fragment = machine.root / "usr-lib/app/tmpfiles-app.conf"
    before = fragment.read_bytes()
    fragment.write_text(f"d {shared} - - - -\n")
    lines = f"d {extra} - - - -\nd {shared} - - - -\n"
    machine.store("2", exports={"manifest.json": "{}", "service.template": UNIT, "tmpfiles.template": lines})
    update(system, "app", Choices())
    for made in (extra, shared):
        made.mkdir(parents=True)
    machine.services.calls.clear()
    rollback(system, "app")
    assert "create tmpfiles-app.conf" in machine.services.calls
    assert extra.exists()
    uninstall(system, "app")
    assert (extra.exists(), shared.exists()) == (False, True)
    fragment.write_bytes(before)


def test_directories_are_known_over_the_ways_back_and_forth(preinstalled: "Machine") -> None:
    """What the first update made goes with the last one, even if its deployment has gone before."""
    machine, system = preinstalled, preinstalled.system
    for version in ("2", "3"):
        made = machine.root / f"lib/of-{version}"
        exports = {"service.template": UNIT, "tmpfiles.template": f"d {made} - - - -\n"}
        machine.store(version, exports=exports)
        update(system, "app", Choices({"GREETING": "hello"}))
        made.mkdir(parents=True)
        rollback(system, "app")
    rollback(system, "app")
    assert machine.deployed() == ["2"]
    uninstall(system, "app")
    assert list((machine.root / "lib").iterdir()) == []


@pytest.mark.parametrize("change", [partial(update, choices=Choices()), rollback])
def test_a_change_that_is_undone_leaves_the_directories_that_were_there(
    preinstalled: "Machine", change: Callable[..., object]
) -> None:
    """The service that runs again needs them: those of the package, and those of ours that is beside it."""
    machine, system = preinstalled, preinstalled.system
    of_package, of_ours = machine.root / "lib/of-package", machine.root / "lib/of-ours"
    fragment = machine.root / "usr-lib/app/tmpfiles-app.conf"
    before = fragment.read_bytes()
    fragment.write_text(f"d {of_package} - - - -\n")
    of_package.mkdir(parents=True)
    exports = {"service.template": f"{UNIT}# ours\n", "tmpfiles.template": f"d {of_ours} - - - -\n"}
    machine.store("2", exports=exports)
    update(system, "app", Choices({"GREETING": "hello"}))
    of_ours.mkdir()
    rollback(system, "app")
    machine.store("3", exports=exports)
    machine.services.broken.add("# ours")
    with pytest.raises(ServiceError):
        change(system, "app")
    assert machine.deployed() == ["1"]
    assert (of_package.exists(), of_ours.exists()) == (True, True)
    fragment.write_bytes(before)


def test_host_files_that_a_package_came_to_bring_too_stay(preinstalled: "Machine") -> None:
    """Ours was there first, and gives its place to the package: what both have is the package's."""
    machine, place = preinstalled, preinstalled.root / "usr-lib/app"
    exports = {"service.template": UNIT, machine.exported("app.conf"): "x", machine.exported("own"): "x"}
    machine.store("2", exports=exports)
    update(machine.system, "app", Choices())
    shared = place / f"rootfs/exports/{machine.exported('app.conf')}"
    shared.parent.mkdir(parents=True)
    shared.write_text("x")
    plan = plan_uninstall(machine.system, "app")
    uninstall(machine.system, "app")
    assert [file.exists() for file in (machine.host_file("app.conf"), machine.host_file("own"))] == [
        True,
        False,
    ]
    assert {one.path for one in plan.host_files if one.action is Action.REMOVE} == {
        str(machine.host_file("own"))
    }
    shutil.rmtree(place / "rootfs/exports/hostfs")


def test_directories_that_a_package_has_brought_do_not_become_ours(preinstalled: "Machine") -> None:
    """What we had not made is no host file of ours, and stays when both are gone."""
    machine, place = preinstalled, preinstalled.root / "usr-lib/app"
    brought = machine.host_file("etc/app.conf")
    for top in (place / "rootfs/exports/hostfs", Path("/")):
        path = top / brought.relative_to("/")
        path.parent.mkdir(parents=True)
        path.write_text("x")
    names = ("etc/app.conf", "etc/own/file")
    machine.store("2", exports={"service.template": UNIT, **{machine.exported(name): "x" for name in names}})
    update(machine.system, "app", Choices())
    listed = [one.path for one in container_status(machine.system, "app", lines=0).host_files]
    assert listed == [str(machine.host_file(name)) for name in ("etc/own", "etc/own/file")]
    assert check(machine.system, Depth.NAMES) == []
    shutil.rmtree(place / "rootfs/exports/hostfs")
    brought.unlink()
    place.rename(place.parent / "away")
    uninstall(machine.system, "app")
    assert list(machine.host_file("etc").iterdir()) == []
    (place.parent / "away").rename(place)


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (partial(update, choices=Choices()), "info"),
        (partial(update, choices=Choices()), "rootfs/exports/manifest.json"),
        (rollback, "rootfs/exports/manifest.json"),
        (uninstall, "rootfs/exports/manifest.json"),
    ],
)
def test_a_package_that_cannot_be_read_is_not_taken_for_one_without_host_files(
    preinstalled: "Machine", change: Callable[..., object], file: str
) -> None:
    """What it brings would be removed as ours: nothing is changed, and the error says why."""
    machine = preinstalled
    store(machine, "2")
    update(machine.system, "app", Choices())
    store(machine, "3")
    with (
        unreadable(machine.root / "usr-lib/app" / file),
        pytest.raises((OSError, SystemFaultError), match="Input/output error"),
    ):
        change(machine.system, "app")
    assert machine.version() == "2"
    assert machine.deployed() == ["1"]


def test_a_damaged_one_is_for_the_package_to_mend(preinstalled: "Machine") -> None:
    """check, and who would go back to it, say so."""
    place, system = preinstalled.root / "usr-lib/app", preinstalled.system
    whole = (place / "info").read_bytes()
    (place / "info").write_text("{")
    assert [one.hint for one in check(system, Depth.CONTENT)] == [factory.REINSTALL]
    with pytest.raises(BrokenError) as caught:
        start_service(system, "app")
    assert caught.value.hint == factory.REINSTALL
    (place / "info").write_bytes(whole)
    store(preinstalled, "2")
    update(system, "app", Choices())
    (place / "info").write_text("{")
    with pytest.raises(BrokenError) as caught:
        rollback(system, "app", serial=factory.SERIAL)
    assert caught.value.hint == factory.REINSTALL
    (place / "info").write_bytes(whole)


def test_what_is_being_built_is_none_whatever_its_name(machine: "Machine") -> None:
    """The directory of a draft has the name of this container."""
    store(machine, "1")
    plan = plan_install(machine.system, NAME, Choices(), name="deployment")
    assert [Path(text.path).name for text in plan.texts][:1] == ["deployment.service"]


def test_ours_lives_on_when_the_package_is_removed(preinstalled: "Machine") -> None:
    """It is a container like any other then."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    machine_without = replace(preinstalled, paths=replace(preinstalled.paths, factories=None))
    preinstalled.services.foreign.clear()
    (listed,) = list_containers(machine_without.system)
    assert (listed.state, listed.preinstalled) == ("running", False)
    uninstall(machine_without.system, "app")
    assert machine_without.deployed() == []


@pytest.mark.parametrize("command", [start_service, partial(update, choices=Choices()), rollback])
def test_a_change_that_was_killed_between_its_two_links_is_settled_by_the_next_command(
    preinstalled: "Machine", command: Callable[[System, str], object]
) -> None:
    """There is a spare link then and no link: that is no damage, since a journal tells of it."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    state = ServiceState(running=True, enabled=True)
    journal = Journal(
        operation="rollback",
        container="app",
        leaving=1,
        entering=factory.SERIAL,
        before=state,
        after=state,
        is_fresh=False,
    )
    preinstalled.system.journals.write(journal)
    (preinstalled.paths.state / "app").unlink()
    command(preinstalled.system, "app")
    assert preinstalled.system.journals.names() == []
    assert check(preinstalled.system, Depth.CONTENT) == []


def test_what_the_distribution_brings_alone_needs_no_recovery(preinstalled: "Machine") -> None:
    """Its name is one that is known."""
    recover_named(preinstalled.system, "app", Start.WATCHED)


def test_an_uninstall_of_what_is_not_active_leaves_what_is_alone(preinstalled: "Machine") -> None:
    """What is the distribution's runs on, and a unit that somebody has in its place since stays."""
    store(preinstalled, "2")
    update(preinstalled.system, "app", Choices())
    rollback(preinstalled.system, "app")
    own = preinstalled.paths.units / "app.service"
    own.write_text("mine")
    preinstalled.services.calls.clear()
    plan = plan_uninstall(preinstalled.system, "app")
    preinstalled.events.clear()
    uninstall(preinstalled.system, "app")
    assert own.read_text() == "mine"
    # of the unit for recovery, which is there meanwhile
    assert set(preinstalled.services.calls) == {"reload"}
    told = f"app stays: the system provides it, in {preinstalled.system.container('app').factory}"
    assert preinstalled.told() == [f"{told}; the rest is removed"]
    assert (list(plan.steps), plan.texts, plan.discarded) == (preinstalled.told(), (), (1,))
    assert preinstalled.deployed() == []
