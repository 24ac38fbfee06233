"""Images that install runs, and does not install."""

import json
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import ConflictError, UsageError
from os_containers.operations.choices import Choices
from os_containers.operations.install import install, install_or_run_once
from os_containers.operations.preview import plan_update
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

CONFIG = {
    "ociVersion": "1.0.2",
    "process": {"args": ["/bin/prepare", "$WHAT", "$NAME"], "cwd": "/"},
    "root": {"path": "rootfs"},
    "linux": {},
    "mounts": [{"destination": "/to", "type": "bind", "source": "$RUN_DIRECTORY/to", "options": ["rw"]}],
}
EXPORTS = {
    "config.json.template": json.dumps(CONFIG),
    "manifest.json": '{"defaultValues": {"WHAT": "all"}}',
    "hostfs/etc/once.conf": "x",
}
ONCE = {"atomic.run": "once"}
PROGRAM = {"/bin/prepare": "x"}


def record_run(machine: "Machine", *, code: int) -> None:
    """Let the runtime keep the configuration with which it runs a bundle, and end with a code."""
    kept = machine.root / "ran.json"
    script = f'#!/bin/sh\n[ "$5" = run ] || exit 0\ncp "$7/config.json" {kept}\nexit {code}\n'
    (machine.root / "crun").write_text(script)


def test_it_is_run_with_its_own_command_and_leaves_nothing(machine: "Machine") -> None:
    """Its exit code is what install returns; what it mounts is there while it runs."""
    record_run(machine, code=7)
    machine.store("1", exports=EXPORTS, labels=ONCE, more=PROGRAM)
    before = machine.snapshot()
    code = install_or_run_once(machine.system, "example.org/app", Choices({"WHAT": "disks"}))
    assert code == 7
    command, what, name = json.loads((machine.root / "ran.json").read_text())["process"]["args"]
    assert (command, what, name.rpartition("-")[0]) == ("/bin/prepare", "disks", "app")
    assert machine.snapshot() == before
    assert not list(machine.paths.staging.iterdir())
    assert not (machine.paths.deployments / "app").exists()
    assert not (machine.root / "run").exists()
    assert machine.told()[0] == (
        "example.org/app:latest is run once, and not installed: it has the label atomic.run=once"
    )


def test_its_name_may_be_chosen_and_must_be_free(machine: "Machine") -> None:
    """As that of a container."""
    record_run(machine, code=0)
    machine.store("1", exports=EXPORTS, labels=ONCE, more=PROGRAM)
    assert install_or_run_once(machine.system, "example.org/app", Choices(), name="disks") == 0
    assert json.loads((machine.root / "ran.json").read_text())["process"]["args"][2].startswith("disks-")
    machine.store("1", name="example.org/service:latest")
    install(machine.system, "example.org/service", Choices(), name="disks")
    with pytest.raises(ConflictError, match="there is a container named 'disks'"):
        install_or_run_once(machine.system, "example.org/app", Choices(), name="disks")


@pytest.mark.parametrize("labels", [None, {}, {"atomic.run": "always"}])
def test_any_other_image_is_installed(machine: "Machine", labels: dict[str, str] | None) -> None:
    """Enabled, and not run."""
    machine.store("1", labels=labels)
    made = install_or_run_once(machine.system, "example.org/app", Choices())
    assert not isinstance(made, int)
    assert machine.version() == "1"


@pytest.mark.parametrize("rebase", [None, "example.org/other"])
def test_no_container_goes_over_to_an_image_that_is_run_once(machine: "Machine", rebase: str | None) -> None:
    """Neither with a newer version of its own image, nor with another; the plan says so, too."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.services.start("app.service")
    image = machine.store("2", exports=EXPORTS, labels=ONCE, name=f"{rebase or 'example.org/app'}:latest")
    before, calls = machine.snapshot(), len(machine.services.calls)
    for change in (plan_update, update):
        with pytest.raises(UsageError) as caught:
            change(machine.system, "app", Choices(), rebase=rebase)
        assert caught.value.message == (
            f"{image.name} is meant to be run once, so app cannot switch to it: "
            "it has the label atomic.run=once"
        )
        assert caught.value.hint == f"os-containers run {image.name} runs it; app stays as it is"
    assert (machine.snapshot(), machine.version()) == (before, "1")
    assert len(machine.services.calls) == calls
    assert machine.deployed() == ["1"]
