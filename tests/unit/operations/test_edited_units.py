"""What somebody has written into a unit of ours is not lost when another comes in its place."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import OsContainersError, ServiceError
from os_containers.image.access import ProxyOptions
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.preview import plan_update
from os_containers.operations.repair import repair
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

TMPFILES = {"tmpfiles.template": "d $STATE_DIRECTORY/app 0700\n"}
EDITED = "[Service]\nExecStart=/bin/mine\n"


def install_edited(machine: "Machine") -> None:
    machine.store("1", exports=TMPFILES)
    install(machine.system, "example.org/app", Choices())
    (machine.paths.units / "app.service").write_text(EDITED)


def failing_update(machine: "Machine") -> None:
    machine.services.active.add("app.service")
    machine.services.broken = {"A=2"}
    with pytest.raises(ServiceError):
        update(machine.system, "app", Choices())


WAYS: list[tuple[str, Callable[["Machine"], object]]] = [
    ("update", lambda machine: update(machine.system, "app", Choices())),
    ("update that fails", failing_update),
    ("uninstall", lambda machine: uninstall(machine.system, "app")),
    ("repair", lambda machine: repair(machine.system, ProxyOptions())),
]


@pytest.mark.parametrize("act", [act for _, act in WAYS], ids=[name for name, _ in WAYS])
def test_an_edited_unit_is_kept_beside_its_place(
    machine: "Machine", act: Callable[["Machine"], object]
) -> None:
    """And the way that stays is told; nothing else is kept."""
    install_edited(machine)
    machine.store(
        "2", exports=TMPFILES | {"service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=A=2\n"}
    )
    act(machine)
    kept = [*machine.paths.units.glob("*-old*"), *machine.paths.tmpfiles.glob("*-old*")]
    assert [(one.name, one.read_text()) for one in kept] == [("app.service.os-containers-old", EDITED)]
    unit = machine.paths.units / "app.service"
    way = "systemctl edit app.service makes changes that stay"
    assert machine.told().count(f"{unit} was edited: kept as {kept[0].name}; {way}") == 1
    assert not unit.exists() or unit.read_text() != EDITED


def test_no_edit_replaces_one_from_before(machine: "Machine") -> None:
    """A tmpfiles.d fragment is kept as a unit is."""
    install_edited(machine)
    for version, text in (("2", "d /first\n"), ("3", "d /second\n")):
        (machine.paths.tmpfiles / "app.conf").write_text(text)
        machine.store(version, exports=TMPFILES)
        update(machine.system, "app", Choices())
    kept = {one.name: one.read_text() for one in machine.paths.tmpfiles.glob("*-old*")}
    assert kept == {"app.conf.os-containers-old": "d /first\n", "app.conf.os-containers-old1": "d /second\n"}


def test_a_plan_tells_of_the_edit_and_keeps_nothing(machine: "Machine") -> None:
    install_edited(machine)
    machine.store("2", exports=TMPFILES)
    steps = plan_update(machine.system, "app", Choices()).steps
    assert [one for one in steps if "was edited: kept as app.service.os-containers-old" in one] != []
    assert [*machine.paths.units.glob("*-old*")] == []


def test_an_update_that_is_refused_keeps_nothing(machine: "Machine") -> None:
    """The edited unit is in its place still."""
    install_edited(machine)
    machine.store("2", exports={machine.exported("app.conf"): "x"})
    machine.host_file("app.conf").mkdir(parents=True)
    with pytest.raises(OsContainersError):
        update(machine.system, "app", Choices())
    assert [*machine.paths.units.glob("*-old*")] == []
    assert (machine.paths.units / "app.service").read_text() == EDITED


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_damaged_record_tells_no_edit_and_loses_none(machine: "Machine", *, is_edited: bool) -> None:
    """The unit in the deployment says which text was ours."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2", exports={"service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=A=2\n"})
    update(machine.system, "app", Choices())
    if is_edited:
        (machine.paths.units / "app.service").write_text(EDITED)
    (machine.paths.state / "app/info").write_text("{")
    uninstall(machine.system, "app")
    kept = [one.read_text() for one in machine.paths.units.glob("*-old*")]
    assert kept == ([EDITED] if is_edited else [])


def test_what_is_as_we_wrote_it_is_not_kept(machine: "Machine") -> None:
    machine.store("1", exports=TMPFILES)
    system = machine.system
    install(system, "example.org/app", Choices())
    machine.store("2")
    update(system, "app", Choices())
    uninstall(system, "app")
    assert [*machine.paths.units.glob("*-old*"), *machine.paths.tmpfiles.glob("*-old*")] == []
