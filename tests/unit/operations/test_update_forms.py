"""What can be asked of an update: values set and unset, an image that no registry has."""

from typing import TYPE_CHECKING

import pytest

from os_containers.deployment.values import Origin, Value
from os_containers.errors import UsageError
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.preview import plan_update
from os_containers.operations.update import Source, update

if TYPE_CHECKING:
    from conftest import Machine

EXPORTS = {
    "manifest.json": '{"defaultValues": {"GREETING": "hello", "OTHER": "y"}}',
    "service.template": "[Service]\nExecStart=$EXEC_START\nEnvironment=GREETING=$GREETING\n",
}


def greeting(machine: "Machine") -> Value:
    return machine.system.container("app").current().record.values["GREETING"]


def test_what_is_unset_is_the_images_own_again(machine: "Machine") -> None:
    """The plan says so beforehand."""
    machine.store("1", exports=EXPORTS)
    install(machine.system, "example.org/app", Choices({"GREETING": "hi", "OTHER": "x"}))
    assert greeting(machine) == Value("hi", Origin.SET)
    plan = plan_update(machine.system, "app", Choices(unset=["GREETING"]))
    assert [(one.name, one.before, one.after) for one in plan.values if one.name == "GREETING"] == [
        ("GREETING", "hi", "hello")
    ]
    update(machine.system, "app", Choices(unset=["GREETING"]))
    assert greeting(machine) == Value("hello", Origin.DEFAULT)
    assert machine.system.container("app").current().record.values["OTHER"].origin is Origin.SET


@pytest.mark.parametrize(
    ("unset", "settings", "fact", "hint"),
    [
        ("GREETNG", {}, "'GREETNG' is not set", "did you mean GREETING?"),
        ("PORT", {}, "'PORT' is not set", "these are set: GREETING"),
        (
            "GREETING",
            {"GREETING": "x"},
            "GREETING is given with both --set and --unset",
            "leave out one of them",
        ),
    ],
)
def test_what_is_not_set_cannot_be_unset(
    machine: "Machine", unset: str, settings: dict[str, str], fact: str, hint: str
) -> None:
    """Nothing is changed."""
    machine.store("1", exports=EXPORTS)
    install(machine.system, "example.org/app", Choices({"GREETING": "hi"}))
    before = machine.snapshot()
    with pytest.raises(UsageError) as caught:
        update(machine.system, "app", Choices(settings, unset=[unset]))
    assert caught.value.message == fact
    assert (caught.value.hint or "").startswith(hint)
    assert machine.snapshot() == before


def test_no_registry_is_asked_for_an_image_that_none_has(machine: "Machine") -> None:
    """As those of layouts and archives: what was pulled of it since is taken."""
    machine.store("1", name="localhost/app:latest")
    install(machine.system, "localhost/app", Choices())
    machine.store("2", name="localhost/app:latest")
    update(machine.system, "app", Choices(), source=Source.REGISTRY)
    assert machine.version() == "2"
    assert "no registry has localhost/app:latest: using the image in the store" in machine.told()
