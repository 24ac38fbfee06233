"""Interrupted changes: each ends in the state before or after, and recovering twice is like once."""

import contextlib
import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from scarcity import small_disk

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.history import once_active
from os_containers.errors import BrokenError, NotFoundError, ProcessError
from os_containers.events import Step
from os_containers.host.unit import RECOVERY_UNIT
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.recover import plan_recover, recover_all, recover_named
from os_containers.operations.recoverable import install_recovery_unit
from os_containers.operations.repair import repair
from os_containers.operations.retention import discard
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


def roll_back(machine: "Machine") -> dict[str, str]:
    """Go back from version 2 to version 1, to where only tidying up remains; return what there is then."""
    go_back_to_version_1(machine)
    write_journal(machine, leaving=2, entering=1, is_proven=True)
    machine.services.calls.clear()
    return machine.snapshot()


def update_without_tidying_up(machine: "Machine") -> dict[str, str]:
    """Update to a third version, on a disk that fails in the end; return what there is when it is mended."""
    run_version_1(machine)
    machine.store("2", exports=exports(machine, "2"))
    update(machine.system, "app", Choices())
    machine.store("3", exports=exports(machine, "3"))
    machine.services.on_start = machine.paths.trash.touch
    update(machine.system, "app", Choices())
    assert (machine.deployed(), machine.system.journals.names()) == (["1", "2", "3"], ["app"])
    machine.paths.trash.unlink()
    machine.services.calls.clear()
    return machine.snapshot()


@pytest.mark.parametrize("how", Start)
def test_i14_what_was_done_but_for_tidying_up_is_only_tidied_up(machine: "Machine", how: Start) -> None:
    """Its service is not touched, and systemd is asked for nothing; the plan says the same."""
    after = update_without_tidying_up(machine)
    planned = list(plan_recover(machine.system, "app"))
    assert planned == ["update of app was interrupted: it would be finished"]
    recover_all(machine.system, how)
    assert (machine.deployed(), machine.version()) == (["2", "3"], "3")
    assert set(machine.system.repo().pins.commits()) == {("app", 2), ("app", 3)}
    assert machine.services.calls == []
    assert machine.snapshot() == after
    assert check(machine.system, Depth.NAMES) == []
    rollback(machine.system, "app")
    assert machine.version() == "2"


@pytest.mark.parametrize("how", Start)
def test_who_was_stopped_while_only_tidying_up_was_left_stays_so(machine: "Machine", how: Start) -> None:
    """It ran when the change was done, so the change did not stop it; the boot starts what is enabled."""
    roll_back(machine)
    machine.services.active.clear()
    recover_all(machine.system, how)
    assert machine.services.active == set()
    assert machine.services.calls == []
    assert machine.system.journals.names() == []


def test_what_is_noted_of_a_change_is_noted_by_who_tidies_up(machine: "Machine") -> None:
    """Which became active last, and what somebody rolled back from."""
    roll_back(machine)
    for serial, activation in ((1, 1), (2, 2)):
        one = deployment(machine, serial)
        save_record(one.path, replace(one.record, activation=activation, given_up=None))
    recover_named(machine.system, "app", Start.WATCHED)
    (given_up, left) = (deployment(machine, 1).record.given_up, deployment(machine, 2).record.digest)
    assert given_up is not None
    assert given_up.digest == left
    assert [one.serial for one in once_active(container(machine))] == [2, 1]


def test_i14_what_is_tidied_up_already_is_not_missed(machine: "Machine") -> None:
    """The deployment that left is gone, and the journal is not."""
    after = roll_back(machine)
    discard(machine.system, machine.system.repo(), container(machine), 2)
    recover_named(machine.system, "app", Start.WATCHED)
    assert machine.snapshot() == after
    assert (machine.deployed(), machine.system.journals.names()) == (["1"], [])


def test_b96_a_link_that_was_lost_meanwhile_is_left_to_repair(machine: "Machine") -> None:
    """Tidying up takes nothing away that it named."""
    after = roll_back(machine)
    container(machine).link.unlink()
    recover_named(machine.system, "app", Start.WATCHED)
    assert repair(machine.system, ProxyOptions()) == []
    assert machine.version() == "1"
    assert machine.snapshot() == after


@as_root
def test_a_change_that_is_noted_as_done_is_not_undone_unless_that_is_noted(
    machine: "Machine", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the journal fails at its last sync, and takes nothing more: the new version runs on."""
    run_version_1(machine)
    machine.store("2", exports=exports(machine, "2"))
    journals = machine.system.journals
    sync = os.fsync
    with small_disk(journals.directory) as disk, contextlib.ExitStack() as failing:

        def fail_at_last(descriptor: int) -> None:
            journal = journals.read("app")
            if journal and journal.is_proven:
                failing.enter_context(disk.read_only())
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fail_at_last)
        with pytest.raises(BrokenError, match="going back failed, too"):
            update(machine.system, "app", Choices())
        monkeypatch.undo()
        failing.close()
        assert (machine.version(), machine.services.active) == ("2", {"app.service"})
        machine.services.calls.clear()
        recover_named(machine.system, "app", Start.WATCHED)
        assert (machine.version(), machine.services.calls) == ("2", [])
        assert check(machine.system, Depth.NAMES) == []


def test_an_uninstall_that_was_done_but_for_tidying_up_is_only_tidied_up(machine: "Machine") -> None:
    """Whoever uses the name of its service by now is not disturbed."""
    before = machine.snapshot()
    run_version_1(machine)

    def fail_after(event: object) -> None:
        if isinstance(event, Step) and event.text == "systemctl daemon-reload":
            machine.paths.trash.touch()

    uninstall(replace(machine.system, on_event=fail_after), "app")
    assert (machine.deployed(), machine.system.journals.names()) == (["1"], ["app"])
    machine.paths.trash.unlink()
    (machine.paths.units / "app.service").write_text("mine")
    machine.services.active = {"app.service"}
    machine.services.calls.clear()
    recover_all(machine.system, Start.WATCHED)
    assert [one for one in machine.services.calls if "app" in one] == []
    assert (machine.paths.units / "app.service").read_text() == "mine"
    (machine.paths.units / "app.service").unlink()
    machine.services.active.clear()
    assert machine.snapshot() == before
    assert not container(machine).directory.exists()


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
    assert any(one.startswith("app is skipped: process ") for one in machine.told())
