"""The store while containers live on it: prune, commands that die in it, commands that wait for it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from os_containers.config import Config, General
from os_containers.errors import BusyError, ConflictError
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.images import WhenInUse, delete_images
from os_containers.operations.install import install
from os_containers.operations.prune import prune
from os_containers.operations.rollback import rollback
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine

IMAGE = "example.org/app"
SERVICE = "[Service]\nExecStart=$EXEC_START\nEnvironment=V={}\n[Install]\nWantedBy=x.target\n"


def store(machine: "Machine", version: str) -> None:
    machine.store(version, exports={"service.template": SERVICE.format(version)})


def run_version_2(machine: "Machine") -> None:
    """Have version 2 run, and version 1 to go back to."""
    store(machine, "1")
    install(machine.system, IMAGE, Choices())
    machine.services.start("app.service")
    store(machine, "2")
    update(machine.system, "app", Choices())


def trees(machine: "Machine") -> dict[str, str]:
    """Return the files of all rootfs."""
    found = machine.paths.deployments.rglob("rootfs/**/*")
    return {str(path): path.read_text() for path in found if path.is_file()}


def test_b100_prune_leaves_what_runs_and_what_one_can_go_back_to(machine: "Machine") -> None:
    """Also when their image has gone from the store, and what nothing needs goes."""
    run_version_2(machine)
    store(machine, "3")
    delete_images(machine.system, [IMAGE], WhenInUse.DELETE)
    before, snapshot = trees(machine), machine.snapshot()
    assert prune(machine.system).objects > 0
    assert trees(machine) == before
    assert machine.snapshot() == snapshot
    assert check(machine.system, Depth.CONTENT) == []
    assert prune(machine.system).objects == 0
    rollback(machine.system, "app")
    assert machine.version() == "1"
    uninstall(machine.system, "app")
    assert prune(machine.system).objects > 0
    assert list(machine.paths.repo.glob("objects/*/*.commit")) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("death", ["b99_SIGKILL", "b103_SIGABRT"])
@pytest.mark.parametrize("call", [1, 5])
def test_a_prune_that_dies_is_ended_by_the_next(machine: "Machine", death: str, call: int) -> None:
    """Killed, or by an abort in libostree, at a file that it removes: nothing that is needed goes."""
    run_version_2(machine)
    store(machine, "3")
    delete_images(machine.system, [IMAGE], WhenInUse.DELETE)
    before, snapshot = trees(machine), machine.snapshot()
    number = death.partition("_")[2]
    done = images_prune(machine, f"inject=unlink,unlinkat:signal={number}:when={call}")
    assert done.returncode != 0
    assert images_prune(machine, "trace=none").returncode == 0
    assert trees(machine) == before
    assert machine.snapshot() == snapshot
    assert check(machine.system, Depth.CONTENT) == []
    assert prune(machine.system).objects == 0


def images_prune(machine: "Machine", fault: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which meets a fault."""
    program = [sys.executable, "-c", "from os_containers.cli.main import main; main()", "images", "prune"]
    environment = os.environ | {"OS_CONTAINERS_CHECKOUT_PATH": str(machine.paths.state)}
    strace = ["strace", "--follow-forks", "--quiet=all", "--output=/dev/null", "-e", fault]
    return subprocess.run([*strace, *program], env=environment, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def stopped_holder(machine: "Machine", lock: str) -> Iterator[int]:
    """Let a process hold a lock and be stopped; give its id."""
    argv = [sys.executable, "-c", HOLD, str(machine.paths.locks / lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"held\n"
            holder.send_signal(signal.SIGSTOP)
            yield holder.pid
        finally:
            holder.kill()


HOLD = """
import sys
from pathlib import Path
from os_containers.locks import locked
with locked(Path(sys.argv[1]), timeout=0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("lock", ["container-app", "host"])
def test_b88_who_waits_for_a_stopped_command_is_told_and_gives_up(machine: "Machine", lock: str) -> None:
    """Exit code 7, with the process to look at; when that goes on, so does everybody."""
    store(machine, "1")
    install(machine.system, IMAGE, Choices())
    store(machine, "2")
    before = machine.snapshot()
    with stopped_holder(machine, lock) as holder:
        with pytest.raises(BusyError, match=f"process {holder} holds") as caught:
            update(replace(machine.system, lock_timeout=2.2), "app", Choices())
        assert (caught.value.exit_code, "--lock-timeout" in (caught.value.hint or "")) == (7, True)
        assert f"waiting for process {holder}, which holds the {lock} lock" in machine.told()
        assert [one.state for one in list_containers(machine.system)] == ["inactive"]
        assert machine.snapshot() == before
    assert update(machine.system, "app", Choices()).changed


def test_a_directory_with_something_else_is_no_state(machine: "Machine") -> None:
    """Nobody but its owner can enter a state: /srv would be closed to all by a line in config.toml."""
    general = General(checkout_path=machine.paths.state)
    system = replace(machine.system, given=Config(general=general))
    machine.paths.state.mkdir(mode=0o755)
    (machine.paths.state / "www").mkdir()
    with pytest.raises(ConflictError, match="is not empty, and not a directory of os-containers"):
        system.repo()
    assert machine.paths.state.stat().st_mode & 0o777 == 0o755
    (machine.paths.state / "www").rmdir()
    system.repo()
    assert machine.paths.state.stat().st_mode & 0o777 == 0o700
