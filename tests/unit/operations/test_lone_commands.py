"""Commands of `run`: what is left of them when their os-containers is killed, and who is told."""

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.command import Command
from os_containers.operations.install import install
from os_containers.operations.lone_commands import find_lone, waited_for
from os_containers.operations.prune import prune
from os_containers.operations.recover import plan_recover, recover_all
from os_containers.operations.run import run
from os_containers.operations.service import Start

if TYPE_CHECKING:
    from conftest import Machine


PROGRAM = {"/bin/serve": "x"}


def runtime_that_blocks(machine: "Machine") -> Path:
    """Let the runtime run a command until a file is there, and say of it what another one says."""
    go, state = machine.root / "go", machine.root / "said"
    state.write_text("stopped")
    script = (
        f'#!/bin/sh\n[ "$1" != --log ] || shift 4\ncase "$1" in\n'
        f"run) echo $$ > {machine.root}/pid; until test -e {go}; do sleep 0.05; done;;\n"
        f'state) echo "{{\\"status\\": \\"$(cat {state})\\"}}";;\n'
        f'delete) echo "$3" >> {machine.root}/deleted;;\nesac\n'
    )
    (machine.root / "crun").write_text(script)
    return go


@pytest.fixture
def lone(machine: "Machine") -> Iterator["Machine"]:
    """Give a host on which a command runs whose os-containers was killed."""
    go = runtime_that_blocks(machine)
    machine.store("1", volumes=["/data"], more=PROGRAM)
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            run(machine.system, "example.org/app", Command(["serve"]), settings={})
        os._exit(1)
    while not (machine.root / "pid").exists() or not (machine.root / "pid").read_text().strip():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    yield machine
    go.touch()


def ended(machine: "Machine") -> None:
    """Let the command come to its end."""
    (machine.root / "go").touch()
    pid = (machine.root / "pid").read_text().strip()
    while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.02)


def test_a_command_for_which_nobody_waits_is_told_and_goes_on(lone: "Machine") -> None:
    """By recover, its plan and check; its bundle goes when it has come to its end."""
    (bundle,) = lone.paths.staging.iterdir()
    name = bundle.name.rpartition("-")[0]
    told = (
        f"{name} is still running, but its os-containers was killed; to stop it: systemctl stop {name}.scope"
    )
    assert list(plan_recover(lone.system, None)) == [told]
    assert check(lone.system, Depth.NAMES) == []
    recover_all(lone.system, Start.WATCHED)
    prune(lone.system)
    assert lone.told().count(told) == 3
    assert bundle.is_dir()
    ended(lone)
    recover_all(lone.system, Start.WATCHED)
    assert list(lone.paths.staging.iterdir()) == []
    assert (lone.root / "deleted").read_text() == f"{name}\n"
    assert lone.told().count(told) == 3


def test_what_the_runtime_still_runs_is_not_removed(lone: "Machine") -> None:
    """Although the runtime itself was killed; nor by an install of the same name."""
    ended(lone)
    (lone.root / "said").write_text("running")
    (bundle,) = lone.paths.staging.iterdir()
    recover_all(lone.system, Start.WATCHED)
    install(lone.system, "example.org/app", Choices())
    assert bundle.is_dir()
    assert "is still running, but its os-containers was killed" in " ".join(lone.told())
    (lone.root / "said").write_text("stopped")
    recover_all(lone.system, Start.WATCHED)
    assert not bundle.exists()


def test_nobody_is_told_of_a_command_for_which_somebody_waits(machine: "Machine") -> None:
    """It is at work, or has just come to its end."""
    found = []
    go = runtime_that_blocks(machine)
    machine.store("1", more=PROGRAM)

    def look() -> None:
        while not list(machine.paths.staging.glob("*/waiter")):
            time.sleep(0.02)
        found.append(find_lone(machine.system))
        go.touch()

    looking = threading.Thread(target=look)
    looking.start()
    run(machine.system, "example.org/app", Command(["serve"]), settings={})
    looking.join()
    assert found == [[]]
    assert list(machine.paths.staging.iterdir()) == []


def test_the_volumes_of_a_command_go_with_it(machine: "Machine") -> None:
    """They are in its bundle: whoever kills us leaves nothing of them elsewhere."""
    machine.store("1", volumes=["/data"], more=PROGRAM)
    (machine.root / "crun").write_text(
        f'#!/bin/sh\n[ "$5" = run ] && cp "$7/config.json" {machine.root}/ran.json\nexit 0\n'
    )
    assert run(machine.system, "example.org/app", Command(["serve"]), settings={}) == 0
    mounts = json.loads((machine.root / "ran.json").read_text())["mounts"]
    (source,) = [Path(one["source"]) for one in mounts if one["destination"] == "/data"]
    assert source.is_relative_to(machine.paths.staging)
    assert not source.exists()
    assert not machine.paths.state_directory.exists()
    assert [one for one in machine.told() if "kept" in one] == []


def test_a_command_in_a_container_is_nobodys_only_while_it_runs(machine: "Machine") -> None:
    """A scope of which the waiter is gone is there for a moment when its processes are not any more."""
    ours = waited_for("app")
    gone = re.sub(r"process \d+", "process 1", ours)
    machine.services.described = {"app-0a1b2c3d": ours, "app-1a1b2c3d": gone, "init": "System and Services"}
    assert find_lone(machine.system) == []


def test_what_a_runtime_logs_of_a_commands_output_is_shown(
    machine: "Machine", capfd: pytest.CaptureFixture[str]
) -> None:
    """Once, on our own stdout."""
    machine.store("1", more=PROGRAM)
    (machine.root / "crun").write_text('#!/bin/sh\n[ "$1" != --log ] || printf "yes\\n\\n" > "$2"\n')
    assert run(machine.system, "example.org/app", Command(["serve"]), settings={}) == 0
    assert capfd.readouterr().out == "yes\n"
