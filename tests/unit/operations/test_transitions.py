"""Install, update, rollback, uninstall: the whole change, or none."""

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images import Directory
from scarcity import small_disk

from os_containers.deployment.values import Origin, Value
from os_containers.errors import (
    BrokenError,
    BusyError,
    ConflictError,
    ImageError,
    NotFoundError,
    OsContainersError,
    ProcessError,
    ProgramTimeoutError,
    ServiceError,
    SystemFaultError,
    UsageError,
)
from os_containers.events import Step
from os_containers.host.unit import RECOVERY_UNIT
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.install import install
from os_containers.operations.recover import recover_all
from os_containers.operations.repair import repair
from os_containers.operations.rollback import rollback
from os_containers.operations.service import Start
from os_containers.operations.status import container_status
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import Source, update
from os_containers.process import cannot_run

if TYPE_CHECKING:
    from conftest import Machine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="host files are root's affair")


def unit(text: str) -> str:
    return f"[Service]\nExecStart=$EXEC_START\nEnvironment={text}\n[Install]\nWantedBy=multi-user.target\n"


def keep(machine: "Machine", count: int) -> Path:
    """Let so many deployments of a container stay; return the file that says so."""
    config = machine.paths.config_files[-1]
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"retention = {count}\n")
    return config


def test_install_makes_a_container_that_is_enabled_and_not_started(machine: "Machine") -> None:
    """Its unit runs the bundle of the first deployment."""
    machine.store("1")
    deployment = install(machine.system, "example.org/app", Choices())
    assert machine.version() == "1"
    assert machine.services.calls == ["reload", "reload", "enable app.service"]
    text = (machine.paths.units / "app.service").read_text()
    assert (machine.paths.state / "app").resolve() == deployment.path
    assert f"ExecStart={machine.root}/crun run --bundle {machine.paths.state}/app app\n" in text
    assert machine.told() == ["systemctl daemon-reload", "systemctl enable app"]


def test_systemd_loads_a_unit_again_only_when_it_is_another_one(machine: "Machine") -> None:
    """Or when a command that was killed had not told it."""
    machine.store("1", exports={"service.template": unit("A=1")})
    install(machine.system, "example.org/app", Choices())
    for version, text, stale, reloads in (
        ("2", "A=1", set(), 0),
        ("3", "A=2", set(), 1),
        ("4", "A=2", {"app.service"}, 1),
    ):
        machine.store(version, exports={"service.template": unit(text)})
        machine.services.stale = stale
        machine.services.calls.clear()
        update(machine.system, "app", Choices())
        assert machine.services.calls.count("reload") == reloads


def test_update_and_rollback_keep_a_running_service_running(machine: "Machine") -> None:
    """And a rolled back rollback returns to the newer one."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2")
    assert update(machine.system, "app", Choices()).changed
    assert (machine.version(), machine.services.active) == ("2", {"app.service"})
    rollback(machine.system, "app")
    assert (machine.version(), machine.services.active) == ("1", {"app.service"})
    rollback(machine.system, "app")
    assert machine.version() == "2"
    assert machine.deployed() == ["1", "2"]


def test_config_toml_says_how_many_deployments_stay(machine: "Machine") -> None:
    """With more than two, a rollback names the one that it means; with one, there is none."""
    config = keep(machine, 3)
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    for version in ("2", "3", "4"):
        machine.store(version)
        update(machine.system, "app", Choices())
    assert machine.deployed() == ["2", "3", "4"]
    rollback(machine.system, "app", serial=2)
    assert machine.version() == "2"
    assert machine.deployed() == ["2", "3", "4"]
    with pytest.raises(NotFoundError, match="app is already at deployment 2") as raised:
        rollback(machine.system, "app", serial=2)
    assert raised.value.hint == "it can return to: 3, 4"
    with pytest.raises(NotFoundError, match="has no deployment 9 to return to") as raised:
        rollback(machine.system, "app", serial=9)
    assert raised.value.hint == "it can return to: 3, 4"
    config.write_text("retention = 1\n")
    rollback(machine.system, "app")
    assert (machine.version(), machine.deployed()) == ("4", ["4"])


def test_config_toml_is_named_where_its_limit_is_exceeded(machine: "Machine") -> None:
    """No author of an image can mend that."""
    config = keep(machine, 3)
    machine.store("1", exports={"manifest.json": '{"version": "1.0"}'})
    config.write_text("[limits]\ntemplate = 10\n")
    with pytest.raises(ImageError, match=r"manifest\.json is larger than 10 bytes") as raised:
        install(machine.system, "example.org/app", Choices())
    assert (raised.value.hint or "").startswith(
        f"{config} sets this limit: raise template under [limits] there"
    )


def test_a_rollback_returns_to_the_one_that_was_active_before(machine: "Machine") -> None:
    """It need not be the newest: the order is that of activation, and a change that failed has none."""
    keep(machine, 3)
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    for version in ("2", "3"):
        machine.store(version, exports={"service.template": unit(f"A={version}")})
        update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    machine.store("4")
    update(machine.system, "app", Choices())
    assert machine.deployed() == ["2", "3", "4"]
    machine.services.start("app.service")
    machine.services.broken = {"A=3"}
    with pytest.raises(ServiceError):
        rollback(machine.system, "app", serial=3)
    for version in ("2", "4", "2"):
        status = container_status(machine.system, "app", lines=0)
        assert [str(one.serial) for one in status.deployments if one.previous] == [version]
        rollback(machine.system, "app")
        assert machine.version() == version
    assert [one.serial for one in container_status(machine.system, "app", lines=0).deployments] == [4, 3, 2]


def test_a_rollback_from_before_the_order_was_noted_counts(machine: "Machine") -> None:
    """The first change after it notes what was active until then, too."""
    keep(machine, 3)
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    for version in ("2", "3"):
        machine.store(version)
        update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    info = machine.paths.deployments / "app/2/info"
    tree = json.loads(info.read_text())
    assert tree.pop("activation") == 1
    info.write_text(json.dumps(tree))
    machine.store("4")
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    assert machine.version() == "2"


def test_update_keeps_two_deployments(machine: "Machine") -> None:
    """The active one, and the one before it, which after a rollback is not the newest."""
    for version in ("1", "2", "3"):
        machine.store(version)
        if version == "1":
            install(machine.system, "example.org/app", Choices())
        else:
            update(machine.system, "app", Choices())
    assert machine.deployed() == ["2", "3"]
    rollback(machine.system, "app")
    machine.store("4")
    update(machine.system, "app", Choices())
    assert (machine.deployed(), machine.version()) == (["2", "4"], "4")
    assert set(machine.system.repo().pins.commits()) == {("app", 2), ("app", 4)}


def test_b104_update_without_news_does_nothing(machine: "Machine") -> None:
    """Neither does one that sets a value to what it is."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices({"UUID": "1"}))
    machine.services.calls.clear()
    assert not update(machine.system, "app", Choices()).changed
    assert not update(machine.system, "app", Choices({"UUID": "1"})).changed
    assert machine.services.calls == []
    assert update(machine.system, "app", Choices({"UUID": "2"})).changed


def test_what_was_set_stays_and_a_changed_default_arrives(machine: "Machine") -> None:
    """Values know who decided them."""
    template = {"config.json.template": CONFIG}
    machine.store("1", exports={"manifest.json": DEFAULTS % ("a1", "b1"), **template})
    install(machine.system, "example.org/app", Choices({"A": "mine"}))
    machine.store("2", exports={"manifest.json": DEFAULTS % ("a2", "b2"), **template})
    values = update(machine.system, "app", Choices()).deployment.record.values
    assert values["A"] == Value("mine", Origin.SET)
    assert values["B"] == Value("b2", Origin.DEFAULT)


DEFAULTS = '{"defaultValues": {"A": "%s", "B": "%s"}}'
CONFIG = '{"ociVersion": "1.0.2", "process": {"args": ["$A", "$B"]}, "root": {"path": "rootfs"}, "linux": {}}'


def test_update_can_go_over_to_another_image(machine: "Machine") -> None:
    """From then on it follows that one."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("other", name="example.org/other:5")
    updated = update(machine.system, "app", Choices(), rebase="example.org/other:5", source=Source.STORE)
    assert machine.version() == "other"
    assert updated.deployment.record.image == "example.org/other:5"


def test_the_admins_choice_of_enabled_stays(machine: "Machine") -> None:
    """Unless the image wants to be enabled in another way; then an enabled unit is enabled anew."""
    machine.store("1", exports={"service.template": unit("A=1")})
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"service.template": unit("A=2")})
    update(machine.system, "app", Choices())
    assert "reenable app.service" not in machine.services.calls
    machine.store("3", exports={"service.template": unit("A=3") + "RequiredBy=other.service\n"})
    update(machine.system, "app", Choices())
    assert "reenable app.service" in machine.services.calls
    machine.services.disable("app.service")
    rollback(machine.system, "app")
    assert machine.services.enabled == set()


@pytest.mark.parametrize("source", ["$MISSING", "$", "[Unit]\n", "[Service]\nType=simple\n"])
def test_i15_an_install_that_fails_leaves_nothing(machine: "Machine", source: str) -> None:
    """Not in the store of deployments, not on the host, not in systemd."""
    machine.store("1", exports={"service.template": source})
    before = machine.snapshot()
    with pytest.raises(UsageError if source == "$MISSING" else ImageError):
        install(machine.system, "example.org/app", Choices())
    assert machine.snapshot() == before
    assert (machine.deployed(), list(machine.paths.staging.iterdir())) == ([], [])
    assert machine.system.repo().pins.commits() == {}


@pytest.mark.parametrize("verb", ["reload", "enable", "create"])
def test_b90_b92_an_install_is_undone_when_systemd_fails(machine: "Machine", verb: str) -> None:
    """Whatever was done by then."""
    machine.store("1", exports={"tmpfiles.template": "d /run/app", "service.template": unit("A=1")})
    machine.services.failing = {verb}
    before = machine.snapshot()
    with pytest.raises(ProcessError):
        install(machine.system, "example.org/app", Choices())
    machine.services.failing = set()
    recover_all(machine.system, Start.WATCHED)
    assert machine.snapshot() == before
    assert (machine.deployed(), machine.system.journals.names()) == ([], [])


def test_b90_an_update_whose_service_does_not_start_goes_back(machine: "Machine") -> None:
    """Unit, version, enabled and running are as before; the error has the service's last words."""
    machine.store("1", exports={"service.template": unit("A=1")})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    before = machine.snapshot()
    machine.store("2", exports={"service.template": unit("BROKEN=1")})
    machine.services.broken = {"BROKEN"}
    with pytest.raises(ServiceError, match=r"app\.service did not start: the last words") as raised:
        update(machine.system, "app", Choices())
    assert raised.value.exit_code == 9
    assert machine.snapshot() == before
    assert (machine.version(), machine.deployed()) == ("1", ["1"])


def test_b90_a_rollback_whose_service_does_not_start_goes_back(machine: "Machine") -> None:
    """To the newer version, and both deployments stay."""
    machine.store("1", exports={"service.template": unit("BROKEN=1")})
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"service.template": unit("A=2")})
    update(machine.system, "app", Choices())
    machine.services.start("app.service")
    before = machine.snapshot()
    machine.services.broken = {"BROKEN"}
    with pytest.raises(ServiceError):
        rollback(machine.system, "app")
    assert machine.snapshot() == before
    assert (machine.version(), machine.deployed()) == ("2", ["1", "2"])


def test_i15_a_state_that_cannot_be_asked_for_leaves_nothing_of_an_update(machine: "Machine") -> None:
    """The new deployment was there already, and goes with its pin."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2")
    machine.services.on_verify = lambda: machine.services.failing.add("show")
    with pytest.raises(ProcessError):
        update(machine.system, "app", Choices())
    assert machine.deployed() == ["1"]
    assert machine.system.repo().pins.of("app") == [1]


def test_when_the_way_back_fails_too_the_error_says_so(machine: "Machine") -> None:
    """Exit code 10: somebody must look."""
    machine.store("1", exports={"service.template": unit("BROKEN=1")})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2", exports={"service.template": unit("BROKEN=2")})
    machine.services.broken = {"BROKEN"}
    with pytest.raises(BrokenError, match="going back failed, too") as raised:
        update(machine.system, "app", Choices())
    assert raised.value.hint is not None
    assert machine.version() == "1"


@as_root
def test_a_failed_update_brings_the_host_files_back(machine: "Machine") -> None:
    """Those that went, those that came, those that changed, and the edit of the admin."""

    def exports(version: str, *paths: str) -> dict[str, str]:
        files = {machine.exported(path): version for path in paths}
        return {"service.template": unit(f"V{version}=1"), **files}

    machine.store("1", exports=exports("1", "both", "old", "edited"))
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.host_file("edited").write_text("mine")
    before = machine.snapshot()
    machine.store("2", exports=exports("2", "both", "new", "edited"))
    machine.services.broken = {"V2"}
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices())
    assert machine.snapshot() == before


@as_root
def test_b75_a_host_file_of_another_container_is_a_conflict(machine: "Machine") -> None:
    """Nothing was changed by then."""
    exports = {machine.exported("shared"): "x"}
    machine.store("1", exports=exports)
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    with pytest.raises(ConflictError, match="belongs to the container app"):
        install(machine.system, "example.org/app", Choices(), name="second")
    assert machine.snapshot() == before


@pytest.mark.parametrize("there", ["unit", "tmpfiles", "vendor"])
def test_b64_b65_a_name_that_the_host_uses_is_refused(machine: "Machine", there: str) -> None:
    """A unit wherever it lies, or a tmpfiles.d fragment."""
    machine.store("1")
    match there:
        case "unit":
            (machine.paths.units / "app.service").write_text("[Service]\n")
        case "tmpfiles":
            (machine.paths.tmpfiles / "app.conf").write_text("d /x\n")
        case _:
            machine.services.foreign = {"app.service"}
    before = machine.snapshot()
    with pytest.raises(ConflictError, match=re.escape("app")):
        install(machine.system, "example.org/app", Choices())
    assert machine.snapshot() == before


def test_i16_uninstall_leaves_nothing(machine: "Machine") -> None:
    """But the image and, in a directory of its own, the data, which it names; an empty directory goes."""
    data, empty = machine.paths.state_directory / "app", machine.paths.state_directory / "empty"
    fragment = "d $STATE_DIRECTORY 0755\nd $STATE_DIRECTORY/app 0700\nd $STATE_DIRECTORY/empty 0700\n"
    machine.store("1", exports={"tmpfiles.template": fragment})
    before = machine.snapshot()
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    (data / "database").mkdir(parents=True)
    empty.mkdir()
    machine.store("2", exports={"tmpfiles.template": fragment})
    update(machine.system, "app", Choices())
    uninstall(machine.system, "app")
    assert machine.snapshot() == before
    assert machine.deployed() == []
    assert list_containers(machine.system) == []
    assert machine.system.repo().pins.commits() == {}
    kept = f"kept {data}: the data of app"
    assert kept in machine.told()
    assert data.exists()
    assert not empty.exists()
    # there before, these are the container's data nevertheless
    machine.events.clear()
    install(machine.system, "example.org/app", Choices())
    uninstall(machine.system, "app")
    assert [one for one in machine.told() if one.startswith("kept")] == [kept]
    assert (data / "database").exists()


@as_root
def test_b97_a_damaged_container_can_be_uninstalled(machine: "Machine") -> None:
    """What the record of the other deployment names goes, too."""
    exports = {machine.exported("file"): "x", "service.template": unit("A=1")}
    machine.store("1", exports=exports)
    before = machine.snapshot()
    install(machine.system, "example.org/app", Choices())
    update(machine.system, "app", Choices({"UUID": "2"}))
    (machine.paths.state / "app/info").write_text("{")
    uninstall(machine.system, "app")
    assert machine.snapshot() == before
    assert machine.deployed() == []


def failed_update(machine: "Machine", error: SystemFaultError) -> OsContainersError:
    """Return what is told when systemctl fails once, as version 2 is started; version 1 runs again then."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2")
    before = machine.snapshot()

    def fail_once() -> None:
        machine.services.on_start = bool
        raise error

    machine.services.on_start = fail_once
    with pytest.raises(OsContainersError) as caught:
        update(machine.system, "app", Choices())
    assert (machine.version(), machine.snapshot()) == ("1", before)
    return caught.value


def test_b82_too_many_processes_are_no_fault_of_the_service(machine: "Machine") -> None:
    """When systemctl itself cannot be started: exit code 8, and the version from before runs again."""
    exhausted = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    told = failed_update(machine, cannot_run("systemctl", exhausted))
    assert "systemctl: Resource temporarily unavailable" in told.message
    assert told.exit_code == 8
    assert "ulimit -u" in (told.hint or "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SystemFaultError("systemd does not answer: Connection refused"), 8),
        (ProgramTimeoutError("systemctl start app.service did not end within 900 seconds"), 9),
    ],
)
def test_b90_who_cannot_ask_systemd_does_not_blame_the_service(
    machine: "Machine", error: SystemFaultError, code: int
) -> None:
    """One that takes for ever to start has failed; either way the version from before runs again."""
    assert failed_update(machine, error).exit_code == code


def test_i21_what_the_system_answered_is_told_in_words(machine: "Machine") -> None:
    """By the warnings, too."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2")

    def fail() -> None:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), "/etc/x")

    machine.services.on_stop = fail
    with pytest.raises(IsADirectoryError):
        update(machine.system, "app", Choices())
    assert "/etc/x: Is a directory; going back to the previous state" in machine.told()


def test_a_failed_way_back_keeps_the_deployment_that_is_active(machine: "Machine") -> None:
    """The link never dangles, so that uninstall still works."""
    machine.store("1", exports={"service.template": unit("BROKEN=1")})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2", exports={"service.template": unit("BROKEN=2")})
    machine.services.broken = {"BROKEN"}
    machine.services.failing_from = ("stop", 2)
    with pytest.raises(BrokenError):
        update(machine.system, "app", Choices())
    assert machine.version() == "2"
    machine.services.failing_from = None
    uninstall(machine.system, "app")
    assert machine.deployed() == []


def test_a_deployment_that_never_was_active_is_no_rollback_target(machine: "Machine") -> None:
    """A kill between staging and switching may leave one."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    never = machine.paths.deployments / "app/2"
    shutil.copytree(machine.paths.deployments / "app/1", never)
    info = never / "info"
    info.write_text(info.read_text().replace('"was-active": true', '"was-active": false'))
    with pytest.raises(NotFoundError):
        rollback(machine.system, "app")


@as_root
def test_i16_after_a_rollback_an_edited_file_is_the_containers_again(machine: "Machine") -> None:
    """The version between had no such file; uninstall names what it leaves on the host."""
    machine.store("1", exports={machine.exported("conf"): "1"})
    install(machine.system, "example.org/app", Choices())
    machine.host_file("conf").write_text("mine")
    machine.store("2")
    update(machine.system, "app", Choices())
    rollback(machine.system, "app")
    machine.events.clear()
    uninstall(machine.system, "app")
    assert machine.host_file("conf").read_text() == "mine"
    assert f"kept {machine.host_file('conf')}: it was changed since it was installed" in machine.told()


@as_root
def test_i8_what_a_daemon_saves_when_it_stops_is_kept(machine: "Machine") -> None:
    """The host is looked at again after the stop."""
    machine.store("1", exports={machine.exported("conf"): "1"})
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.services.on_stop = lambda: machine.host_file("conf").write_text("saved")
    machine.store("2", exports={machine.exported("conf"): "2"})
    update(machine.system, "app", Choices())
    assert machine.host_file("conf").read_text() == "saved"


@as_root
def test_an_undone_update_leaves_the_record_as_it_was(machine: "Machine") -> None:
    """Whatever the step at which it broke off, uninstall afterwards leaves nothing."""
    machine.store("1", exports={machine.exported("dir/old"): "1", "service.template": unit("A=1")})
    before = machine.snapshot()
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2", exports={"service.template": unit("A=2")})
    machine.services.failing_from = ("stop", 1)
    with pytest.raises(OsContainersError):
        update(machine.system, "app", Choices())
    machine.services.failing_from = None
    uninstall(machine.system, "app")
    assert machine.snapshot() == before
    assert not machine.host_file("dir").exists()


def test_an_update_to_an_image_without_a_service_leaves_no_unit(machine: "Machine") -> None:
    """And a rollback brings it back, enabled."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"manifest.json": '{"noContainerService": true}'})
    update(machine.system, "app", Choices())
    assert machine.services.enabled == set()
    wants = "multi-user.target.wants"
    left = sorted(str(path.relative_to(machine.paths.units)) for path in machine.paths.units.rglob("*"))
    assert left == [wants, f"{wants}/{RECOVERY_UNIT}", RECOVERY_UNIT]
    rollback(machine.system, "app")
    assert machine.services.enabled == {"app.service"}


def test_b105_a_rollback_without_a_previous_deployment_changes_nothing(machine: "Machine") -> None:
    """The current one keeps running."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    before = machine.snapshot()
    with pytest.raises(NotFoundError):
        rollback(machine.system, "app")
    assert machine.snapshot() == before


def test_b97_a_broken_container_does_not_hide_the_others(machine: "Machine") -> None:
    """It is listed as broken, with the reason."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    install(machine.system, "example.org/app", Choices(), name="second")
    (machine.paths.state / "app/info").write_text("{")
    first, second = list_containers(machine.system)
    assert (first.state, second.state) == ("broken", "inactive")
    assert "info" in first.problem


@pytest.mark.parametrize("signal", ["SIGTERM\nExecStartPre=/bin/touch /x", "BOGUS", "$HOME", "65", "SIG"])
def test_a_stop_signal_that_is_none_is_refused(machine: "Machine", signal: str) -> None:
    """It would stand in the unit as the image wrote it, and systemd runs that as root."""
    machine.store("1", stop_signal=signal)
    with pytest.raises(ImageError, match="stop signal"):
        install(machine.system, "example.org/app", Choices())


@pytest.mark.parametrize("signal", ["SIGINT", "QUIT", "SIGRTMIN+3", "2"])
def test_a_stop_signal_is_the_units(machine: "Machine", signal: str) -> None:
    """In each of the ways in which an image may write it."""
    machine.store("1", stop_signal=signal)
    install(machine.system, "example.org/app", Choices())
    assert f"\nKillSignal={signal}\n" in (machine.paths.units / "app.service").read_text()


def test_b92_a_fragment_that_systemd_refuses_does_not_keep_us_from_going(machine: "Machine") -> None:
    """It is told, and everything else goes."""
    machine.store("1", exports={"tmpfiles.template": "d /run/app\n", "service.template": unit("A=1")})
    before = machine.snapshot()
    install(machine.system, "example.org/app", Choices())
    machine.services.failing = {"remove"}
    uninstall(machine.system, "app")
    assert machine.snapshot() == before


def test_b92_an_update_is_undone_when_tmpfiles_fails(machine: "Machine") -> None:
    """The old version runs again, with its own fragment; the error has systemd-tmpfiles' words."""
    exports = {"tmpfiles.template": "d /run/app", "service.template": unit("A=1")}
    machine.store("1", exports=exports)
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    before = machine.snapshot()
    machine.store("2", exports={**exports, "tmpfiles.template": "d /run/app/other"})
    machine.services.broken = {"/run/app/other"}
    with pytest.raises(ProcessError, match="exit code 73") as raised:
        update(machine.system, "app", Choices())
    assert raised.value.exit_code == 8
    assert machine.snapshot() == before
    assert machine.version() == "1"


@as_root
def test_b101_an_uninstall_does_not_reach_through_a_mount(machine: "Machine", tmp_path: Path) -> None:
    """A directory of the host that somebody has mounted in a rootfs stays as it is, and is told."""
    machine.store("1", more={"/data/": Directory()})
    install(machine.system, "example.org/app", Choices())
    victim, inner = tmp_path / "victim", machine.paths.deployments / "app/1/rootfs/data"
    victim.mkdir()
    (victim / "data").write_text("precious")
    subprocess.run(["mount", "--bind", victim, inner], check=True)
    before = machine.snapshot()
    try:
        with pytest.raises(BusyError, match=f"something is mounted at {inner}") as raised:
            uninstall(machine.system, "app")
    finally:
        subprocess.run(["umount", "--lazy", inner], check=True)
    assert raised.value.hint == f"umount {inner}, then try again"
    assert (machine.snapshot(), machine.deployed()) == (before, ["1"])
    uninstall(machine.system, "app")
    assert (victim / "data").read_text() == "precious"
    assert machine.deployed() == []


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_b102_the_umask_does_not_decide_who_reads_what(machine: "Machine", mask: int) -> None:
    """The state is ours alone, systemd's files are for all, and nobody else writes to any."""
    machine.store("1", exports={"tmpfiles.template": "d /run/app", "service.template": unit("A=1")})
    before = os.umask(mask)
    try:
        install(machine.system, "example.org/app", Choices())
    finally:
        os.umask(before)
    units = machine.paths.units
    paths = (machine.paths.state, units / "app.service", units / "app.service.d", machine.paths.tmpfiles)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (*paths[:3], paths[3] / "app.conf")]
    assert modes == [0o700, 0o644, 0o755, 0o644]


@pytest.mark.parametrize("place", ["app.service", "app.service.d"])
def test_b77_what_has_the_place_of_a_unit_shows_before_the_service_is_stopped(
    machine: "Machine", place: str
) -> None:
    """A directory in the place of the unit, or a link to nowhere in the place of its drop-ins."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2")
    path = machine.paths.units / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if place.endswith(".d"):
        path.symlink_to("/nowhere")
    else:
        path.mkdir()
    for change in (
        lambda: update(machine.system, "app", Choices()),
        lambda: uninstall(machine.system, "app"),
    ):
        with pytest.raises(ConflictError, match="is in the way") as caught:
            change()
        assert caught.value.hint == f"move {path} away, then try again"
    assert machine.version() == "1"
    assert machine.services.active == {"app.service"}
    assert machine.system.journals.names() == []


def test_a_damaged_deployment_is_not_left_before_one_can_go_back_to_it(machine: "Machine") -> None:
    """The way back needs its unit; repair makes it anew."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    machine.store("2")
    (machine.paths.deployments / "app/1/app.service").unlink()
    with pytest.raises(BrokenError, match=r"app\.service is missing") as caught:
        update(machine.system, "app", Choices())
    assert caught.value.hint == "os-containers repair makes it again"
    assert "stop app.service" not in machine.services.calls
    assert repair(machine.system, ProxyOptions()) == []
    assert update(machine.system, "app", Choices()).changed


def test_a_service_that_had_failed_is_started(machine: "Machine") -> None:
    """Nobody stopped it: many an update, or a rollback, is made to mend it."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2")
    for change in (
        lambda: update(machine.system, "app", Choices()),
        lambda: rollback(machine.system, "app"),
    ):
        machine.services.active.clear()
        machine.services.failed.add("app.service")
        change()
        assert machine.services.active == {"app.service"}


def test_a_service_that_failed_at_being_stopped_is_not_started(machine: "Machine") -> None:
    """To systemd 128 + SIGTERM is a failure; whoever stopped it knows what to type."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2")
    machine.services.failed.add("app.service")
    machine.services.status = 143
    update(machine.system, "app", Choices())
    assert "app.service was stopped, so it is not started; to start it: systemctl start app" in machine.told()
    assert machine.services.active == set()


def test_what_had_failed_need_not_run_after_the_way_back(machine: "Machine") -> None:
    """The new version does not start, nor does the one from before: its state is back all the same."""
    service = "[Service]\nExecStart=$EXEC_START\nEnvironment=V={}\n"
    machine.store("1", exports={"service.template": service.format("worn")})
    install(machine.system, "example.org/app", Choices())
    machine.services.broken |= {"worn", "new"}
    machine.services.failed.add("app.service")
    machine.store("2", exports={"service.template": service.format("new")})
    with pytest.raises(ServiceError, match="did not start"):
        update(machine.system, "app", Choices())
    assert machine.version() == "1"
    said = "app.service did not start: the last words of app.service; it had failed before, too"
    assert said in machine.told()
    assert check(machine.system, Depth.NAMES) == []


@as_root
def test_b77_read_only_units_show_before_the_service_is_stopped(machine: "Machine") -> None:
    """Also with an image that has no host files; the service goes on without a restart."""
    with small_disk(machine.paths.units) as disk:
        machine.store("1")
        install(machine.system, "example.org/app", Choices())
        machine.services.start("app.service")
        machine.store("2")
        machine.services.calls.clear()
        with disk.read_only():
            for change in (
                lambda: update(machine.system, "app", Choices()),
                lambda: uninstall(machine.system, "app"),
                lambda: install(machine.system, "example.org/app", Choices(), name="other"),
            ):
                with pytest.raises(SystemFaultError, match="is on a read-only file system"):
                    change()
        assert machine.services.calls == []
        assert machine.system.journals.names() == []
        assert machine.deployed() == ["1"]


@as_root
def test_what_cannot_be_tidied_up_is_found_by_the_next_command(machine: "Machine") -> None:
    """A disk that fails when the old host file is to go: the container stays known until it went."""
    (machine.root / "host").mkdir(exist_ok=True)
    with small_disk(machine.root / "host") as disk, contextlib.ExitStack() as failing:
        machine.store("1", exports={machine.exported("app.conf"): "x"})
        install(machine.system, "example.org/app", Choices())

        def fail_after(event: object) -> None:
            if isinstance(event, Step) and event.text.endswith("app.conf deleted"):
                failing.enter_context(disk.read_only())

        uninstall(replace(machine.system, on_event=fail_after), "app")
        assert len(list(disk.path.iterdir())) == 1
        failing.close()
        recover_all(machine.system, Start.WATCHED)
        assert list(disk.path.iterdir()) == []
        assert machine.deployed() == []


def test_a_version_that_cannot_be_enabled_does_not_take_the_choice_away(machine: "Machine") -> None:
    """It has no [Install]: a rollback from it is enabled as before, and it is not told to be enabled."""
    plain = "[Service]\nExecStart=$EXEC_START\n"
    machine.store("1", exports={"service.template": f"{plain}[Install]\nWantedBy=a.target\n"})
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"service.template": plain})
    update(machine.system, "app", Choices())
    assert machine.services.enabled == set()
    rollback(machine.system, "app")
    assert machine.services.enabled == {"app.service"}
    rollback(machine.system, "app")
    machine.services.calls.clear()
    update(machine.system, "app", Choices({"UUID": "b"}))
    assert "enable app.service" not in machine.services.calls


@pytest.mark.parametrize(
    "between",
    [
        {"service.template": "[Service]\nExecStart=$EXEC_START\n"},
        {"manifest.json": '{"version": "1.0", "noContainerService": true}'},
    ],
    ids=["not-to-be-enabled", "no-service"],
)
def test_what_was_disabled_stays_so_over_a_version_that_cannot_be_enabled(
    machine: "Machine", between: dict[str, str]
) -> None:
    """Also over two of them, and back."""
    enabled = {"service.template": "[Service]\nExecStart=$EXEC_START\n[Install]\nWantedBy=a.target\n"}
    machine.store("1", exports=enabled)
    install(machine.system, "example.org/app", Choices())
    machine.services.enabled.clear()
    for version in ("2", "3"):
        machine.store(version, exports=between)
        update(machine.system, "app", Choices())
    machine.store("4", exports=enabled)
    update(machine.system, "app", Choices())
    assert machine.services.enabled == set()
    rollback(machine.system, "app")
    rollback(machine.system, "app")
    assert machine.version() == "4"
    assert machine.services.enabled == set()
