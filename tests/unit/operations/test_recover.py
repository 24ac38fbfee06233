"""Interrupted changes: each ends in the state before or after, and recovering twice is like once."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, load_deployment
from os_containers.errors import BrokenError, NotFoundError, ProcessError
from os_containers.host.unit import RECOVERY_UNIT
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.recover import plan_recover, recover_all, recover_named
from os_containers.operations.recoverable import install_recovery_unit
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.status import container_status
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
SERVICE = "; its service is stopped and started for that"
RUNS = ServiceState(running=True, enabled=True)


def exports(machine: "Machine", version: str) -> Mapping[str, str]:
    """Return what version 1 or 2 exports: one host file of its own, and one that both have."""
    files = {machine.exported("both"): version, machine.exported(f"only-{version}"): version}
    service = f"[Service]\nExecStart=$EXEC_START\nEnvironment=V={version}\n[Install]\nWantedBy=x.target\n"
    # the FakeServices break on this word
    return {**(files if os.geteuid() == 0 else {}), "service.template": service}


def container(machine: "Machine") -> Container:
    return machine.system.container("app")


def deployment(machine: "Machine", serial: int) -> Deployment:
    return load_deployment("app", container(machine).deployment_path(serial))


def run_version_1(machine: "Machine") -> dict[str, str]:
    """Install and start version 1 and return what there is then."""
    machine.store("1", exports=exports(machine, "1"))
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    return machine.snapshot()


def go_back_to_version_1(machine: "Machine") -> dict[str, str]:
    """Have version 1 run and version 2 beside it; return what there is when 2 runs."""
    run_version_1(machine)
    machine.store("2", exports=exports(machine, "2"))
    update(machine.system, "app", Choices())
    after = machine.snapshot()
    rollback(machine.system, "app")
    return after


def write_journal(machine: "Machine", **changes: object) -> None:
    """Write the journal of a rollback from version 1 to version 2, but for some changes."""
    facts: dict[str, object] = {
        "operation": "rollback",
        "container": "app",
        "leaving": 1,
        "entering": 2,
        "before": RUNS,
        "after": RUNS,
        "is_fresh": False,
    }
    machine.system.journals.write(Journal(**{**facts, **changes}))  # type: ignore[arg-type]


def test_i2_a_change_that_did_not_reach_its_commit_point_is_undone(machine: "Machine") -> None:
    """The link names the leaving deployment: the service that was stopped runs again."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine)
    machine.services.stop("app.service")
    assert list(plan_recover(machine.system, "app")) == [
        "rollback of app was interrupted: it would be undone" + SERVICE
    ]
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    assert list(plan_recover(machine.system, None)) == []
    assert machine.version() == "1"
    assert machine.system.journals.names() == []


def test_a_service_that_was_not_stopped_yet_runs_on(machine: "Machine") -> None:
    """Nothing under it has changed, so the change is undone without it, and the plan says so."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine)
    machine.services.calls.clear()
    assert list(plan_recover(machine.system, "app")) == [
        "rollback of app was interrupted: it would be undone"
    ]
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    assert machine.services.active == {"app.service"}
    assert [one for one in machine.services.calls if one.startswith(("stop", "start"))] == []
    assert machine.system.journals.names() == []


def test_who_ends_a_rollback_notes_what_was_given_up(machine: "Machine") -> None:
    """An update of all would go over to it again."""
    go_back_to_version_1(machine)
    container(machine).switch(deployment(machine, 2))
    write_journal(machine, leaving=2, entering=1)
    container(machine).switch(deployment(machine, 1))
    recover_named(machine.system, "app", Start.WATCHED)
    (given_up, left) = (deployment(machine, 1).record.given_up, deployment(machine, 2).record.digest)
    assert given_up is not None
    assert (machine.version(), given_up.digest) == ("1", left)


def test_an_edit_of_a_unit_whose_service_was_down_is_kept(machine: "Machine") -> None:
    """Somebody looked into it; undoing the change puts ours back."""
    go_back_to_version_1(machine)
    unit = machine.paths.units / "app.service"
    text = unit.read_text()
    write_journal(machine)
    machine.services.stop("app.service")
    unit.write_text("mine")
    recover_named(machine.system, "app", Start.WATCHED)
    assert unit.read_text() == text
    assert unit.with_name("app.service.os-containers-old").read_text() == "mine"


def being_stopped(machine: "Machine") -> None:
    machine.services.pending.add("app.service")


def unit_of_version_2(machine: "Machine") -> None:
    (machine.paths.units / "app.service").write_text(deployment(machine, 2).unit_text())


def host_file_of_version_2(machine: "Machine") -> None:
    machine.host_file("both").write_text("2")


def link_to_version_2_on_the_way_back(machine: "Machine") -> None:
    write_journal(machine, is_undone=True)
    container(machine).switch(deployment(machine, 2))


@pytest.mark.parametrize(
    "change",
    [
        being_stopped,
        unit_of_version_2,
        pytest.param(host_file_of_version_2, marks=as_root),
        link_to_version_2_on_the_way_back,
    ],
)
def test_a_service_does_not_run_on_when_anything_under_it_may_be_another_versions(
    machine: "Machine", change: Callable[["Machine"], None]
) -> None:
    """However it came to run: it is stopped, and started with what is its own."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine)
    change(machine)
    machine.services.calls.clear()
    assert list(plan_recover(machine.system, "app")) == [
        "rollback of app was interrupted: it would be undone" + SERVICE
    ]
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    calls = [one for one in machine.services.calls if one.startswith(("stop", "start"))]
    assert calls == ["stop app.service", "start app.service"]


def test_a_service_that_cannot_be_stopped_runs_on(machine: "Machine") -> None:
    """Systemd refuses to stop it: that ends the change, and is the state from before."""
    before = run_version_1(machine)
    machine.store("2", exports=exports(machine, "2"))
    machine.services.failing.add("stop")
    with pytest.raises(ProcessError, match="it fails"):
        update(machine.system, "app", Choices())
    machine.services.failing.clear()
    assert machine.snapshot() == before
    assert machine.deployed() == ["1"]
    assert machine.system.journals.names() == []


def test_the_status_tells_of_a_change_that_was_interrupted(machine: "Machine") -> None:
    """Not of one that somebody is at work on."""
    go_back_to_version_1(machine)
    assert container_status(machine.system, "app", lines=0).interrupted == ""
    write_journal(machine)
    assert container_status(machine.system, "app", lines=0).interrupted == "rollback"
    with machine.system.locked(container(machine)):
        assert container_status(machine.system, "app", lines=0).interrupted == ""
    recover_named(machine.system, "app", Start.WATCHED)
    assert container_status(machine.system, "app", lines=0).interrupted == ""


def test_i2_a_change_behind_its_commit_point_is_ended(machine: "Machine") -> None:
    """The link names the entering deployment, and nothing else does yet."""
    after = go_back_to_version_1(machine)
    write_journal(machine)
    machine.services.stop("app.service")
    container(machine).switch(deployment(machine, 2))
    planned = list(plan_recover(machine.system, None))
    assert planned == ["rollback of app was interrupted: it would be finished" + SERVICE]
    recover_all(machine.system, Start.WATCHED)
    assert machine.snapshot() == after
    assert machine.version() == "2"


def test_i13_recovering_again_changes_nothing(machine: "Machine") -> None:
    """Neither does it when another command has done it before."""
    after = go_back_to_version_1(machine)
    write_journal(machine)
    container(machine).switch(deployment(machine, 2))
    recover_all(machine.system, Start.WATCHED)
    machine.services.calls.clear()
    recover_all(machine.system, Start.WATCHED)
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.services.calls == []
    assert machine.snapshot() == after


def test_a_way_back_that_was_interrupted_is_gone_to_its_end(machine: "Machine") -> None:
    """Although the link names the entering deployment still."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine, is_undone=True)
    container(machine).switch(deployment(machine, 2))
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before


def test_at_boot_what_is_not_known_to_run_gives_way(machine: "Machine") -> None:
    """And nobody waits for the service: systemd is told to start it."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine)
    container(machine).switch(deployment(machine, 2))
    machine.services.active.clear()
    recover_all(machine.system, Start.QUEUED)
    assert machine.snapshot() == before
    assert "queue_start app.service" in machine.services.calls


def test_i14_at_boot_what_ran_already_stays(machine: "Machine") -> None:
    """What was left to do is to remove older deployments, and some of these may be gone."""
    after = go_back_to_version_1(machine)
    write_journal(machine, is_proven=True)
    container(machine).switch(deployment(machine, 2))
    machine.services.active.clear()
    recover_all(machine.system, Start.QUEUED)
    assert machine.snapshot() == after
    assert machine.version() == "2"


def test_a_change_whose_end_fails_is_undone(machine: "Machine") -> None:
    """The new service does not start, so the old one runs again."""
    go_back_to_version_1(machine)
    before = machine.snapshot()
    write_journal(machine)
    container(machine).switch(deployment(machine, 2))
    machine.services.broken = {"V=2"}
    with pytest.raises(Exception, match="did not start"):
        recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    assert machine.system.journals.names() == []


def test_an_install_that_was_interrupted_leaves_nothing(machine: "Machine") -> None:
    """Not its deployment, its pin, its unit; the next install of the name works."""
    before = machine.snapshot()
    run_version_1(machine)
    machine.services.stop("app.service")
    container(machine).forget()
    write_journal(machine, operation="install", leaving=None, entering=1, is_fresh=True)
    recover_all(machine.system, Start.WATCHED)
    assert machine.snapshot() == before
    assert machine.system.repo().pins.commits() == {}
    assert not container(machine).directory.exists()


def test_an_uninstall_that_was_interrupted_is_ended_by_the_next(machine: "Machine") -> None:
    """Although there is no container of the name any more."""
    before = machine.snapshot()
    run_version_1(machine)
    stopped = ServiceState(running=False, enabled=False)
    write_journal(machine, operation="uninstall", leaving=1, entering=None, after=stopped)
    container(machine).forget()
    uninstall(machine.system, "app")
    assert machine.snapshot() == before
    assert not container(machine).directory.exists()


def test_every_command_recovers_first(machine: "Machine") -> None:
    """Here an update, which then has news."""
    go_back_to_version_1(machine)
    write_journal(machine)
    update(machine.system, "app", Choices())
    assert machine.version() == "2"
    assert machine.system.journals.names() == []


def test_b98_a_journal_that_does_not_fit_changes_nothing(machine: "Machine") -> None:
    """It needs attention; uninstall still works."""
    run_version_1(machine)
    machine.store("2", exports=exports(machine, "2"))
    update(machine.system, "app", Choices())
    before = machine.snapshot()
    write_journal(machine, leaving=7, entering=8)
    with pytest.raises(BrokenError, match="the journal of app is about deployments 7 and 8"):
        recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == before
    uninstall(machine.system, "app")
    assert not container(machine).exists()
    assert machine.system.journals.names() == []


def test_i5_temporaries_of_a_killed_command_go(machine: "Machine") -> None:
    """Beside the unit, the link, the record."""
    run_version_1(machine)
    left = [
        machine.paths.units / ".os-containers-app.service@01",
        machine.paths.state / ".os-containers-app@02",
        container(machine).directory / ".os-containers-.active@04",
        container(machine).deployment_path(1) / ".os-containers-info@03",
    ]
    for path in left:
        path.touch()
    (machine.paths.units / ".os-containers-another.service@01").touch()
    recover_named(machine.system, "app", Start.WATCHED)
    assert [path for path in left if path.exists()] == []
    assert (machine.paths.units / ".os-containers-another.service@01").exists()


def test_i11_a_pin_that_is_all_there_is_of_an_install_goes(machine: "Machine") -> None:
    """Of an install that was killed before its deployment had its name."""
    machine.store("1", exports=exports(machine, "1"))
    repo = machine.system.repo()
    repo.pins.add("app", 1, repo.image("example.org/app:latest").commit)
    recover_all(machine.system, Start.WATCHED)
    assert list(repo.pins.names()) == []


def test_i16_our_own_unit_goes_when_nothing_needs_it(machine: "Machine") -> None:
    """Of an install that was killed before its journal, or of an uninstall that was killed behind it."""
    install_recovery_unit(machine.system)
    temporary = machine.paths.units / f".os-containers-{RECOVERY_UNIT}@01"
    temporary.touch()
    machine.paths.state.mkdir(exist_ok=True)
    assert {one.invariant for one in check(machine.system, Depth.NAMES)} == {"I16"}
    recover_all(machine.system, Start.QUEUED)
    assert list(machine.paths.units.iterdir()) == []
    assert check(machine.system, Depth.NAMES) == []


def test_i2_our_own_unit_stays_as_long_as_there_is_a_journal(machine: "Machine") -> None:
    """Of another container, which a power cut may leave as the only one."""
    run_version_1(machine)
    write_journal(machine, operation="install", container="other", leaving=None, entering=1)
    uninstall(machine.system, "app")
    assert (machine.paths.units / RECOVERY_UNIT).exists()
    recover_all(machine.system, Start.QUEUED)
    assert list(machine.paths.units.iterdir()) == []


def test_a_deployment_that_never_was_active_goes(machine: "Machine") -> None:
    """Of an update that was killed before its journal was written."""
    run_version_1(machine)
    never = container(machine).deployment_path(2)
    (never / "rootfs").mkdir(parents=True)
    info = (container(machine).deployment_path(1) / "info").read_text()
    text = info.replace('"was-active": true', '"was-active": false').replace('"serial": 1', '"serial": 2')
    (never / "info").write_text(text)
    machine.system.repo().pins.add("app", 3, deployment(machine, 1).record.commit)
    recover_named(machine.system, "app", Start.WATCHED)
    assert container(machine).serials() == [1]
    assert set(machine.system.repo().pins.commits()) == {("app", 1)}


def test_recover_refuses_a_name_of_which_nothing_is_here(machine: "Machine") -> None:
    """A mistyped name must not look as if it were in order; no state is made for it."""
    with pytest.raises(NotFoundError, match="there is no container named 'app'"):
        recover_named(machine.system, "app", Start.WATCHED)
    assert not machine.paths.state.exists()
    run_version_1(machine)
    with pytest.raises(NotFoundError) as caught:
        recover_named(machine.system, "apps", Start.WATCHED)
    assert caught.value.hint == "did you mean app?"


@pytest.mark.parametrize(
    "left", [".journal/gone.json", ".deploy/gone/1", ".staging/gone-x1", ".trash/gone-1-x"]
)
def test_recover_takes_a_name_that_a_killed_command_left(machine: "Machine", left: str) -> None:
    """Whatever it is, there is nothing of it afterwards."""
    run_version_1(machine)
    path = machine.paths.state / left
    if path.suffix:
        machine.system.journals.write(
            Journal(
                operation="install",
                container="gone",
                leaving=None,
                entering=1,
                before=RUNS,
                after=RUNS,
                is_fresh=True,
            )
        )
    else:
        path.mkdir(parents=True)
    recover_named(machine.system, "gone", Start.WATCHED)
    assert not path.exists()


def test_recover_takes_a_name_that_only_has_a_pin(machine: "Machine") -> None:
    """An install was killed before its deployment had its place."""
    run_version_1(machine)
    machine.system.repo().pins.add("gone", 1, deployment(machine, 1).record.commit)
    recover_named(machine.system, "gone", Start.WATCHED)
    assert machine.system.repo().pins.of("gone") == []


@as_root
def test_i2_a_host_file_that_the_admin_had_removed_stays_so(machine: "Machine") -> None:
    """The way back leads to the state before, not to the one that we once made."""
    run_version_1(machine)
    machine.host_file("only-1").unlink()
    before = machine.snapshot()
    machine.store("2", exports=exports(machine, "2"))
    machine.services.broken = {"V=2"}
    with pytest.raises(Exception, match="did not start"):
        update(machine.system, "app", Choices())
    assert machine.snapshot() == before


def test_b88_recover_names_what_others_are_at_work_on(machine: "Machine") -> None:
    """It waits for nobody, and the others have their turn."""
    run_version_1(machine)
    with machine.system.locked(container(machine)):
        recover_all(machine.system, Start.WATCHED)
    assert any(one.startswith("app is left alone: process ") for one in machine.told())
