"""The plan of a change tells what the change then does, and changes nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import (
    BrokenError,
    ConflictError,
    NotFoundError,
    OsContainersError,
    UsageError,
)
from os_containers.host.hostfiles import Action
from os_containers.operations.blueprint import new_blueprint
from os_containers.operations.choices import Choices
from os_containers.operations.control import restart_service, start_service, stop_service
from os_containers.operations.find_image import stored_image
from os_containers.operations.install import install
from os_containers.operations.plan import Plan
from os_containers.operations.preview import (
    ServiceVerb,
    plan_install,
    plan_rollback,
    plan_service,
    plan_uninstall,
    plan_update,
)
from os_containers.operations.recover import recover_named
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.stage import stage
from os_containers.operations.system import System
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

NAME = "example.org/app:latest"

UNIT = "[Service]\nExecStart=$EXEC_START\nEnvironment=GREETING=$GREETING\n[Install]\nWantedBy=$TARGET\n"
TMPFILES = "d $STATE_DIRECTORY/$NAME 0755 - - -\n"


def store(machine: "Machine", version: str, *, greeting: str = "hello", target: str = "a.target") -> None:
    """Put an image into the store whose unit and host files are another with each version."""
    manifest = {"defaultValues": {"GREETING": greeting, "TARGET": target}}
    machine.store(
        version,
        exports={
            "manifest.json": json.dumps(manifest),
            "service.template": UNIT,
            "tmpfiles.template": TMPFILES,
            machine.exported("app.conf"): f"of {version}\n",
            machine.exported(f"only-{version}"): "x",
        },
    )


def everything(root: Path) -> dict[str, tuple[float, bytes]]:
    """Return all files but locks, each with its time and content."""
    return {
        str(path): (path.lstat().st_mtime, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
        if ".locks" not in path.parts and path.name not in {".staging", "state"}
    }


def checked(machine: "Machine", plan: Callable[[System], Plan], act: Callable[[System], object]) -> Plan:
    """Return the plan; it has changed nothing, and its steps are those of the act."""
    before, called = everything(machine.root), list(machine.services.calls)
    machine.events.clear()
    planned = plan(machine.system)
    assert everything(machine.root) == before
    assert machine.services.calls == called
    machine.events.clear()
    act(machine.system)
    assert list(planned.steps) == machine.told()
    return planned


def installed(machine: "Machine") -> None:
    store(machine, "1")
    install(machine.system, NAME, Choices())


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_plan_of_an_install_is_what_it_does(machine: "Machine") -> None:
    """The texts are whole, since all of it is new."""
    store(machine, "1")
    plan = checked(
        machine,
        lambda system: plan_install(system, NAME, Choices({"GREETING": "hi"})),
        lambda system: install(system, NAME, Choices({"GREETING": "hi"})),
    )
    assert (plan.leaving, plan.entering) == (None, 1)
    (unit,) = [one for one in plan.texts if one.path.endswith("units/app.service")]
    assert (unit.before, unit.after) == (None, (machine.paths.units / "app.service").read_text())
    assert {one.name: one.after for one in plan.values}["GREETING"] == "hi"
    assert [one.action for one in plan.host_files if one.path.endswith("app.conf")] == [Action.CREATE]


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_plan_of_an_update_of_a_running_service_is_what_it_does(machine: "Machine") -> None:
    """Unit, [Install] section, host files and a default are others; one host file was edited."""
    installed(machine)
    machine.services.active.add("app.service")
    machine.host_file("app.conf").write_text("edited\n")
    store(machine, "2", greeting="good-day", target="b.target")
    plan = checked(
        machine,
        lambda system: plan_update(system, "app", Choices()),
        lambda system: update(system, "app", Choices()),
    )
    assert {(one.name, one.before, one.after) for one in plan.values} >= {("GREETING", "hello", "good-day")}
    actions = {Path(one.path).name: one.action for one in plan.host_files}
    assert actions["app.conf"] is Action.KEEP_CHANGED
    assert actions["only-1"] is Action.REMOVE
    assert "systemctl reenable app" in plan.steps


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_plan_of_a_rollback_is_what_it_does(machine: "Machine") -> None:
    """It renders nothing anew."""
    installed(machine)
    store(machine, "2")
    update(machine.system, "app", Choices())
    plan = checked(
        machine, lambda system: plan_rollback(system, "app"), lambda system: rollback(system, "app")
    )
    assert (plan.leaving, plan.entering) == (2, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_plan_of_an_uninstall_is_what_it_does(machine: "Machine") -> None:
    """What was edited stays, and so do data."""
    installed(machine)
    machine.services.active.add("app.service")
    machine.host_file("app.conf").write_text("edited\n")
    data = machine.paths.state_directory / "app"
    data.mkdir(parents=True)
    (data / "data").write_text("x")
    plan = checked(
        machine, lambda system: plan_uninstall(system, "app"), lambda system: uninstall(system, "app")
    )
    assert plan.entering is None
    assert plan.steps[0] == "systemctl stop app"


def test_the_unit_that_recovers_is_planned(machine: "Machine") -> None:
    """It comes with the first container and goes with the last, where no package brings it."""
    path = str(machine.paths.units / "os-containers-recover.service")

    def planned(plan: Plan) -> list[tuple[bool, bool]]:
        return [(bool(one.before), bool(one.after)) for one in plan.texts if one.path == path]

    machine.store("1")
    assert planned(plan_install(machine.system, NAME, Choices())) == [(False, True)]
    install(machine.system, NAME, Choices())
    assert planned(plan_install(machine.system, NAME, Choices(), name="other")) == []
    assert planned(plan_uninstall(machine.system, "app")) == [(True, False)]
    install(machine.system, NAME, Choices(), name="other")
    assert planned(plan_uninstall(machine.system, "app")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
@pytest.mark.parametrize("line", ["d", "D"])
@pytest.mark.parametrize("older", [True, False])
def test_data_that_go_are_not_planned_to_stay(machine: "Machine", line: str, *, older: bool) -> None:
    """systemd-tmpfiles empties a directory of type D, whoever made it, but for what has a line of its own."""
    data = machine.paths.state_directory / "app"
    fragment = f"{line} $STATE_DIRECTORY/$NAME - - - -\nd $STATE_DIRECTORY/$NAME/other - - - -\n"
    machine.store("1", exports={"service.template": UNIT, "tmpfiles.template": fragment})
    if older:
        (data / "other").mkdir(parents=True)
    install(machine.system, NAME, Choices({"GREETING": "hi", "TARGET": "a.target"}))
    (data / "other").mkdir(parents=True, exist_ok=True)
    (data / "data").write_text("x")
    told = [one for one in plan_uninstall(machine.system, "app").steps if one.startswith("kept")]
    assert told == ([f"kept {data}: the data of app"] if line == "d" else [])


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        (ServiceVerb.START, start_service),
        (ServiceVerb.STOP, stop_service),
        (ServiceVerb.RESTART, restart_service),
    ],
)
@pytest.mark.parametrize("runs", [True, False])
def test_the_plan_for_a_service_is_what_is_done(
    machine: "Machine", verb: ServiceVerb, act: Callable[[System, str], None], *, runs: bool
) -> None:
    """One that runs is not started again, and one that does not run is not stopped."""
    machine.store("1")
    install(machine.system, NAME, Choices())
    if runs:
        machine.services.active.add("app.service")
    checked(machine, lambda system: plan_service(system, "app", verb), lambda system: act(system, "app"))


def test_what_is_current_has_nothing_to_do(machine: "Machine") -> None:
    """As the update itself would find."""
    machine.store("1")
    install(machine.system, NAME, Choices())
    assert not plan_update(machine.system, "app", Choices()).changes


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_a_directory_that_somebody_put_something_into_is_planned_to_stay(machine: "Machine") -> None:
    """As the uninstall leaves it."""
    machine.store("1", exports={machine.exported("d/app.conf"): "x\n"})
    install(machine.system, NAME, Choices())
    (machine.host_file("d") / "mine").write_text("mine")
    plan = plan_uninstall(machine.system, "app")
    uninstall(machine.system, "app")
    actions = {Path(one.path).name: one.action for one in plan.host_files}
    assert (actions["d"], actions["app.conf"]) == (Action.KEEP_FILLED, Action.REMOVE)
    assert (machine.host_file("d") / "mine").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_what_is_gone_already_is_not_planned_to_go(machine: "Machine") -> None:
    """Somebody has removed a host file."""
    installed(machine)
    machine.host_file("app.conf").unlink()
    assert [one.path for one in plan_uninstall(machine.system, "app").host_files] == [
        str(machine.host_file("only-1"))
    ]


@pytest.mark.parametrize("is_installed", [True, False])
def test_what_a_killed_command_left_is_to_go_before_a_plan(machine: "Machine", *, is_installed: bool) -> None:
    """The change removes it first: the next deployment has its serial."""
    machine.store("1")
    if is_installed:
        install(machine.system, NAME, Choices())
    system, container = machine.system, machine.system.container("app")
    image, runtime = stored_image(system.repo(), NAME), system.runtime(None, recorded="")
    blueprint = new_blueprint(container, image, runtime, Choices())
    serial = stage(system, system.repo(), blueprint).serial
    plan = plan_update if is_installed else plan_install
    with pytest.raises(ConflictError, match="was interrupted") as caught:
        plan(system, "app" if is_installed else NAME, Choices({"UUID": "b"}))
    assert (caught.value.hint or "").startswith("os-containers recover app")
    recover_named(system, "app", Start.WATCHED)
    assert plan(system, "app" if is_installed else NAME, Choices({"UUID": "b"})).entering == serial


@pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")
def test_the_plan_for_what_is_damaged_tells_what_stays_of_it(machine: "Machine") -> None:
    """No record tells which host files are ours."""
    installed(machine)
    (machine.paths.state / "app/info").write_text("{")
    steps = plan_uninstall(machine.system, "app").steps
    machine.events.clear()
    uninstall(machine.system, "app")
    assert steps == tuple(machine.told()[1:])
    assert sum(one.startswith("kept") for one in steps) == 2


def test_the_plan_of_an_update_names_the_deployments_that_go(machine: "Machine") -> None:
    """Two are kept."""
    machine.store("1")
    install(machine.system, NAME, Choices())
    machine.store("2")
    assert plan_update(machine.system, "app", Choices()).discarded == ()
    update(machine.system, "app", Choices())
    machine.store("3")
    assert plan_update(machine.system, "app", Choices()).discarded == (1,)
    update(machine.system, "app", Choices())
    assert machine.deployed() == ["2", "3"]
    assert plan_uninstall(machine.system, "app").discarded == (2, 3)


def test_an_image_that_is_run_once_is_not_planned_as_installed(machine: "Machine") -> None:
    """It leaves no container."""
    machine.store("1", labels={"atomic.run": "once"})
    plan = plan_install(machine.system, NAME, Choices())
    assert (plan.operation, plan.entering, plan.texts) == ("run", None, ())


def test_a_plan_makes_no_store_on_a_bare_host(machine: "Machine") -> None:
    """Nor a directory of ours."""
    before = set(machine.root.rglob("*"))
    with pytest.raises(NotFoundError, match="example"):
        plan_install(machine.system, NAME, Choices())
    assert set(machine.root.rglob("*")) == before


def test_what_is_damaged_can_be_stopped_so_its_stop_has_a_plan(machine: "Machine") -> None:
    """A start has none."""
    machine.store("1")
    install(machine.system, NAME, Choices())
    machine.services.active.add("app.service")
    (machine.paths.state / "app" / "info").write_text("{")
    assert plan_service(machine.system, "app", ServiceVerb.STOP).steps == ("systemctl stop app",)
    with pytest.raises(BrokenError):
        plan_service(machine.system, "app", ServiceVerb.START)


def raised(act: Callable[[], object]) -> tuple[type[OsContainersError], str]:
    with pytest.raises(OsContainersError) as caught:
        act()
    return caught.type, caught.value.message


def test_a_plan_fails_as_the_change_would(machine: "Machine") -> None:
    """A name that is taken, no other deployment, an unknown container: found without a change, too."""
    machine.store("1")
    install(machine.system, NAME, Choices())
    system = machine.system
    assert raised(lambda: plan_install(system, NAME, Choices()))[0] is ConflictError
    assert raised(lambda: plan_uninstall(system, "no")) == raised(lambda: uninstall(system, "no"))
    assert raised(lambda: plan_rollback(system, "app")) == raised(lambda: rollback(system, "app"))
    assert raised(lambda: plan_update(system, "no", Choices())) == raised(
        lambda: update(system, "no", Choices())
    )
    assert raised(lambda: plan_install(system, "example.org/none", Choices()))[0] is NotFoundError


def test_an_image_without_a_value_is_told_by_the_plan(machine: "Machine") -> None:
    """Nothing is left of it."""
    machine.store("1", exports={"service.template": "[Service]\nExecStart=$EXEC_START $MISSING\n"})
    with pytest.raises(UsageError, match="MISSING"):
        plan_install(machine.system, NAME, Choices())
    assert machine.deployed() == []
    assert list(machine.paths.staging.iterdir()) == []
