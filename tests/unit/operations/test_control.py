"""Services by the name of their container: started, stopped, restarted; their status; all of them updated."""

import errno
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from os_containers.cli.commands.update import tell_all
from os_containers.cli.failure import each
from os_containers.errors import BrokenError, ConflictError, NotFoundError, ServiceError
from os_containers.host.unit_state import UnitState
from os_containers.operations import waiting
from os_containers.operations.choices import Choices
from os_containers.operations.command import Command
from os_containers.operations.containers import state_of
from os_containers.operations.control import moment_of, restart_service, start_service, stop_service
from os_containers.operations.given_up import OnGivenUp
from os_containers.operations.install import install
from os_containers.operations.preview import ServiceVerb, plan_service, plan_update
from os_containers.operations.rollback import rollback
from os_containers.operations.run import execute, run
from os_containers.operations.status import container_status
from os_containers.operations.update import Source, update
from os_containers.operations.update_all import Outcome, UpdatedContainer, update_all

if TYPE_CHECKING:
    from conftest import Machine

FILES_ONLY = {"manifest.json": '{"version": "1.0", "noContainerService": true}'}


def installed(machine: "Machine", name: str = "app") -> None:
    machine.store("1", name=f"example.org/{name}:latest")
    install(machine.system, f"example.org/{name}", Choices())
    machine.services.calls.clear()


def test_a_service_is_started_restarted_and_stopped(machine: "Machine") -> None:
    installed(machine)
    start_service(machine.system, "app")
    assert machine.services.active == {"app.service"}
    restart_service(machine.system, "app")
    stop_service(machine.system, "app")
    assert machine.services.active == set()
    assert machine.services.calls == [
        "start app.service",
        "reset_failed app.service",
        "start app.service",
        "stop app.service",
    ]


def test_a_service_that_does_not_start_is_told(machine: "Machine") -> None:
    installed(machine)
    machine.services.broken.add("ExecStart")
    with pytest.raises(ServiceError, match=r"app.service did not start: the last words of app.service"):
        start_service(machine.system, "app")


@pytest.mark.parametrize("act", [start_service, stop_service, restart_service])
def test_what_has_no_service_cannot_be_started(machine: "Machine", act: object) -> None:
    machine.store("1", exports=FILES_ONLY)
    install(machine.system, "example.org/app", Choices())
    assert callable(act)
    with pytest.raises(ConflictError, match="app has no service"):
        act(machine.system, "app")


def test_a_mistyped_name_is_answered_with_those_that_are_alike(machine: "Machine") -> None:
    installed(machine)
    with pytest.raises(NotFoundError) as caught:
        start_service(machine.system, "apps")
    assert caught.value.hint == "did you mean app?"
    with pytest.raises(NotFoundError) as caught:
        start_service(machine.system, "something-else")
    assert caught.value.hint == "os-containers containers list --all shows them"


def test_a_mistyped_name_is_no_image_to_run_either(machine: "Machine") -> None:
    """Of an image of that name nothing is said to be alike when a container is."""
    installed(machine)
    with pytest.raises(NotFoundError, match="no container or image named 'apps'") as caught:
        run(machine.system, "apps", Command(["true"]), settings={})
    assert caught.value.hint == "did you mean app?"


def test_nothing_is_executed_in_a_container_that_does_not_run(machine: "Machine") -> None:
    installed(machine)
    with pytest.raises(ConflictError, match="app is not running"):
        execute(machine.system, "app", Command(["true"]))


def test_a_command_cannot_join_what_has_no_service(machine: "Machine") -> None:
    """Nor can that be started: a command can be run with its files."""
    machine.store("1", exports=FILES_ONLY)
    install(machine.system, "example.org/app", Choices())
    with pytest.raises(ConflictError, match="app has no service") as caught:
        execute(machine.system, "app", Command(["true"]))
    assert caught.value.hint == "os-containers run app COMMAND"


def test_the_status_tells_all_of_a_container(machine: "Machine") -> None:
    path = machine.host_file("etc/app.conf")
    machine.store("1", exports={machine.exported("etc/app.conf"): "a=1\n"})
    install(machine.system, "example.org/app", Choices())
    image = machine.store("2", exports={machine.exported("etc/app.conf"): "a=1\n"})
    start_service(machine.system, "app")
    list(update_all(machine.system, Choices(), source=Source.STORE, options=None))
    status = container_status(machine.system, "app", lines=2)
    assert (status.state, status.enabled, status.digest) == ("running", True, image.digest)
    assert (status.memory, status.processor, status.tasks) == (1 << 20, 1.5, 3)
    assert [(one.serial, one.active) for one in status.deployments] == [(2, True), (1, False)]
    assert status.log == ("line 0 of app.service", "line 1 of app.service")
    if machine.system.mode.value == "system":
        assert [(one.path, one.drift) for one in status.host_files if one.path == str(path)] == [
            (str(path), None)
        ]
        path.write_text("a=2\n")
        drifts = {one.path: one.drift for one in container_status(machine.system, "app", lines=0).host_files}
        assert drifts[str(path)] == "changed"


def test_all_are_updated_whatever_fails(machine: "Machine") -> None:
    """One has a newer image, one has none any more, one is damaged, one is as it should be."""
    for name in ("broken", "current", "gone", "newer"):
        installed(machine, name)
    (machine.paths.state / "broken").unlink()
    (machine.paths.state / "broken").symlink_to("nowhere")
    machine.system.repo().delete_image("example.org/gone:latest")
    newer = machine.store("2", name="example.org/newer:latest")
    found = {
        one.name: one for one in update_all(machine.system, Choices(), source=Source.STORE, options=None)
    }
    assert {name: one.outcome for name, one in found.items()} == {
        "broken": Outcome.FAILED,
        "current": Outcome.CURRENT,
        "gone": Outcome.FAILED,
        "newer": Outcome.UPDATED,
    }
    assert found["newer"].now == newer.digest
    assert found["newer"].before != newer.digest
    assert (found["gone"].exit_code, found["broken"].exit_code) == (3, 10)
    assert all(one.error and one.hint for one in (found["gone"], found["broken"]))


def test_who_interrupts_the_update_of_all_is_told_what_was_done(
    machine: "Machine", capsys: pytest.CaptureFixture[str]
) -> None:
    """The container under work is as before, and none is begun after it."""
    for name in ("first", "second", "third"):
        installed(machine, name)
        start_service(machine.system, name)
        machine.store("2", name=f"example.org/{name}:latest")
    before = container_status(machine.system, "second", lines=0).digest
    starts = iter((None, KeyboardInterrupt, None))

    def interrupt_the_second() -> None:
        if signal := next(starts):
            raise signal

    machine.services.on_start = interrupt_the_second
    with pytest.raises(KeyboardInterrupt):
        tell_all(update_all(machine.system, Choices(), source=Source.STORE, options=None), as_json=True)
    found = msgspec.json.decode(capsys.readouterr().out, type=list[UpdatedContainer])
    assert [(one.name, one.outcome) for one in found] == [
        ("first", Outcome.UPDATED),
        ("second", Outcome.INTERRUPTED),
    ]
    assert (found[1].before, found[1].now) == (before, before)
    assert [
        len(container_status(machine.system, name, lines=0).deployments) for name in ("second", "third")
    ] == [1, 1]


def test_what_runs_is_not_started_again(machine: "Machine") -> None:
    """Nor taken for one that did not start, since it fell over some day and came back by itself."""
    installed(machine)
    start_service(machine.system, "app")
    machine.services.restarts = 1
    machine.services.calls.clear()
    start_service(machine.system, "app")
    assert machine.services.calls == []
    assert machine.told()[-1] == "app.service is already running"


def test_what_has_failed_is_started_anew(machine: "Machine") -> None:
    """Systemd refuses one that did so too often; what is told is what is done, also beforehand."""
    installed(machine)
    machine.services.failed.add("app.service")
    assert plan_service(machine.system, "app", ServiceVerb.START).steps == ("systemctl start app",)
    start_service(machine.system, "app")
    assert machine.services.calls == ["reset_failed app.service", "start app.service"]
    assert machine.told()[-1] == "systemctl start app"


def test_what_systemd_would_try_again_later_is_restarted(machine: "Machine") -> None:
    """Of one that waits, systemd takes a start for one that has yet to wait."""
    installed(machine)
    machine.services.waiting.add("app.service")
    start_service(machine.system, "app")
    assert machine.told()[-1] == "systemctl restart app"


def test_a_broken_container_can_be_looked_at_and_stopped(machine: "Machine") -> None:
    """Its service may run still."""
    installed(machine)
    start_service(machine.system, "app")
    (machine.paths.state / "app" / "info").write_text("{")
    status = container_status(machine.system, "app", lines=1)
    assert (status.state, status.detail, status.image) == ("broken", "active (running)", "")
    assert "info is not a deployment's record" in status.problem
    assert status.log == ("line 0 of app.service",)
    stop_service(machine.system, "app")
    assert machine.services.active == set()
    with pytest.raises(BrokenError):
        start_service(machine.system, "app")


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        (UnitState(active="activating", sub="start"), "running"),
        (UnitState(active="activating", sub="auto-restart-queued"), "failed"),
        (UnitState(active="deactivating", sub="stop-sigterm"), "running"),
        (UnitState(active="maintenance"), "inactive"),
    ],
)
def test_there_are_few_states(machine: "Machine", unit: UnitState, state: str) -> None:
    """Whatever words systemd has for them."""
    installed(machine)
    assert state_of(machine.system.container("app").current().record, unit) == state


def test_a_fault_of_the_system_does_not_keep_the_next_from_its_turn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is told like any other error."""
    seen = []

    def act(name: str) -> None:
        seen.append(name)
        if name == "one":
            raise OSError(errno.ENOSPC, "No space left on device", "/var/x")

    assert each(["one", "two"], act) == 8
    assert seen == ["one", "two"]
    assert capsys.readouterr().err.startswith("error: /var/x: No space left on device\nhint: make room")


NEVER_STARTS = {
    "service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=V=bad $GREETING\n",
    "manifest.json": '{"defaultValues": {"GREETING": "hi"}}',
}


def all_updated(machine: "Machine") -> UpdatedContainer:
    (updated,) = update_all(machine.system, Choices(), source=Source.STORE, options=None)
    return updated


@pytest.fixture
def failing(machine: "Machine") -> "Machine":
    """Give a host with a running container whose next version has failed to start."""
    installed(machine)
    machine.services.start("app.service")
    machine.services.broken.add("V=bad")
    machine.store("2", exports=NEVER_STARTS)
    assert all_updated(machine).outcome is Outcome.FAILED
    machine.services.calls.clear()
    return machine


def test_what_has_failed_is_not_tried_again_by_an_update_of_all(failing: "Machine") -> None:
    """A timer would stop the service for it each night; the summary, the plan and the status say so."""
    digest = failing.system.repo().image("example.org/app:latest").digest
    skipped = all_updated(failing)
    assert (skipped.outcome, skipped.skipped, skipped.exit_code) == (Outcome.SKIPPED, digest, 0)
    assert skipped.hint == "os-containers update app tries it again"
    assert skipped.now == skipped.before != digest
    assert failing.services.calls == []
    failed = container_status(failing.system, "app", lines=0).given_up
    assert failed is not None
    assert (failed.digest, failed.time) == (digest, skipped.given_up_at)
    assert failed.reason == "app.service did not start: the last words of app.service"
    told = f"app is skipped: {digest} was given up ({failed.reason}); {skipped.hint}"
    assert failing.told()[-1] == told
    plan = plan_update(failing.system, "app", Choices(), on_given_up=OnGivenUp.SKIP)
    assert (plan.changes, plan.steps) == (False, (told,))
    assert plan_update(failing.system, "app", Choices()).changes


def test_who_names_the_container_tries_it_again(failing: "Machine") -> None:
    """When that works nothing is remembered."""
    with pytest.raises(ServiceError):
        update(failing.system, "app", Choices())
    assert all_updated(failing).outcome is Outcome.SKIPPED
    failing.services.broken.clear()
    assert update(failing.system, "app", Choices()).changed
    assert container_status(failing.system, "app", lines=0).given_up is None
    assert all_updated(failing).outcome is Outcome.CURRENT


def test_what_somebody_has_rolled_back_from_is_not_updated_to_again(machine: "Machine") -> None:
    """Until there is another image, or somebody asks for it, by an update or a second rollback."""
    installed(machine)
    machine.store("2")
    update(machine.system, "app", Choices())
    left = machine.system.container("app").current().record.digest
    rollback(machine.system, "app")
    skipped = all_updated(machine)
    assert (skipped.outcome, skipped.skipped) == (Outcome.SKIPPED, left)
    assert f"{left} was given up (somebody rolled back from it)" in machine.told()[-1]
    rollback(machine.system, "app")
    assert container_status(machine.system, "app", lines=0).given_up is None
    assert all_updated(machine).outcome is Outcome.CURRENT
    rollback(machine.system, "app")
    assert update(machine.system, "app", Choices()).changed
    rollback(machine.system, "app")
    machine.store("3")
    assert all_updated(machine).outcome is Outcome.UPDATED


def test_what_nobody_has_tried_is_tried(failing: "Machine") -> None:
    """Another image, or another runtime."""
    failing.store("3", exports=NEVER_STARTS)
    assert all_updated(failing).outcome is Outcome.FAILED
    assert all_updated(failing).outcome is Outcome.SKIPPED
    runc = failing.root / "runc"
    runc.symlink_to("crun")
    (tried,) = update_all(failing.system, Choices(runtime=str(runc)), source=Source.STORE, options=None)
    assert tried.outcome is Outcome.FAILED
    failing.store("4")
    assert all_updated(failing).outcome is Outcome.UPDATED


def test_a_failure_with_other_values_says_nothing_of_those_that_are(machine: "Machine") -> None:
    """Who tries a value, or another image, has not tried what the next update of all does."""
    installed(machine)
    machine.services.start("app.service")
    machine.store("2", exports=NEVER_STARTS)
    machine.services.broken.add("V=bad bye")
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices({"GREETING": "bye"}))
    machine.store("2", exports=NEVER_STARTS, name="example.org/other:latest")
    machine.services.broken.add("V=bad hi")
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices(), rebase="example.org/other")
    assert container_status(machine.system, "app", lines=0).given_up is None
    machine.services.broken.clear()
    assert all_updated(machine).outcome is Outcome.UPDATED


@pytest.mark.parametrize(("limit", "told"), [("1min 30s", "; TimeoutStopSec=1min 30s"), ("", "")])
def test_what_takes_long_is_told_with_how_long_it_may(
    machine: "Machine", monkeypatch: pytest.MonkeyPatch, limit: str, told: str
) -> None:
    """As who waits for a lock is told; what is quick is not."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)
    installed(machine)
    start_service(machine.system, "app")
    assert machine.told()[-1] == "systemctl start app"
    machine.services.stop_timeout = limit
    machine.services.on_stop = lambda: time.sleep(0.5)
    stop_service(machine.system, "app")
    assert machine.told()[-2:] == [
        "systemctl stop app",
        f"waiting for systemd to stop app.service{told}",
    ]


@pytest.mark.parametrize(
    ("state", "notes"),
    [
        ("activating", ["systemd continues to start app.service; to stop that: os-containers stop app"]),
        ("deactivating", ["systemd continues to stop app.service"]),
        ("active", []),
    ],
)
def test_who_interrupts_a_start_is_told_that_systemd_goes_on(
    machine: "Machine", state: str, notes: list[str]
) -> None:
    """It was asked, and does not hear of that."""
    installed(machine)

    def interrupt() -> None:
        machine.services.between = state
        raise KeyboardInterrupt

    machine.services.on_start = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        start_service(machine.system, "app")
    assert getattr(caught.value, "__notes__", []) == notes


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("5min", "5min ago"),
        ("2h", "2h ago"),
        ("1h30m", "1h30m ago"),
        ("1.5 h", "1.5 h ago"),
        ("2 hours 3 minutes", "2 hours 3 minutes ago"),
        ("2 hours ago", "2 hours ago"),
        ("-5min", "-5min"),
        ("today", "today"),
        ("2026-11-26", "2026-11-26"),
        ("2026-11-26 10:00", "2026-11-26 10:00"),
        ("2026-11-26T10:00:00Z", "2026-11-26T10:00:00Z"),
        ("10:00", "10:00"),
    ],
)
def test_a_span_of_time_is_so_long_ago(text: str, moment: str) -> None:
    """As podman takes it; what journalctl takes stays."""
    assert moment_of(text) == moment
