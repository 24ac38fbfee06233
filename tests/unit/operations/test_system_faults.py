"""A host that fails us: the class of the error says so, it names what failed, and nothing has changed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scarcity import PAGE, Disk, descriptors_left, small_disk, unreadable

from os_containers.deployment.exports import read_export
from os_containers.errors import BrokenError, OsContainersError, SystemFaultError
from os_containers.faults import system_fault
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.containers import list_containers
from os_containers.operations.images import list_images
from os_containers.operations.install import install
from os_containers.operations.prune import prune
from os_containers.operations.uninstall import uninstall
from os_containers.operations.update import update

if TYPE_CHECKING:
    from conftest import Machine
    from images import Content

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
IMAGE = "example.org/app"
SERVICE = "[Service]\nExecStart=$EXEC_START\nEnvironment=V={}\n[Install]\nWantedBy=x.target\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Give a small disk; the machine of a test that asks for it first is on it."""
    with small_disk(tmp_path) as mounted:
        yield mounted


def store(machine: "Machine", version: str) -> None:
    exports: dict[str, Content] = {
        "service.template": SERVICE.format(version),
        "config.json.template": '{"ociVersion": "1.0.0", "process": {"args": ["a"], "cwd": "/"},'
        ' "root": {"path": "rootfs"}, "linux": {}}',
    }
    if version == "2" and os.geteuid() == 0:
        exports[machine.exported("file")] = version * 9000
    machine.store(version, exports=exports)


def run_version_1(machine: "Machine") -> None:
    """Have version 1 run, and version 2 in the store."""
    store(machine, "1")
    install(machine.system, IMAGE, Choices())
    machine.services.start("app.service")
    store(machine, "2")


def told(operation: Callable[[], object]) -> OsContainersError | None:
    """Return what a command would tell of an operation that fails, None of one that does not."""
    try:
        operation()
    except OSError as error:
        return system_fault(error)
    except OsContainersError as error:
        return error
    return None


OPERATIONS: dict[str, Callable[["Machine"], object]] = {
    "install": lambda machine: install(machine.system, IMAGE, Choices(), name="other"),
    "update": lambda machine: update(machine.system, "app", Choices()),
    "prune": lambda machine: prune(machine.system),
    "list": lambda machine: list_containers(machine.system),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_b82_too_many_open_files_are_no_fault_of_the_image(machine: "Machine", operation: str) -> None:
    """With each number of descriptors that is too small: exit code 8, and the host is as before."""
    run_version_1(machine)
    before, images = machine.snapshot(), machine.system.repo().images()
    for count in range(50):
        with descriptors_left(count):
            error = told(lambda: OPERATIONS[operation](machine))
        if not error:
            break
        assert error.exit_code == 8, (count, error)
        assert "ulimit -n" in (error.hint or ""), (count, error)
        assert machine.snapshot() == before
        assert machine.version() == "1"
        assert machine.system.repo().images() == images
    assert 0 < count < 49


@as_root
@pytest.mark.parametrize("operation", ["install", "update"])
def test_b80_a_full_disk_leaves_the_state_from_before(disk: Disk, machine: "Machine", operation: str) -> None:
    """With each amount of space that is too small: the error says that it is the space, and where."""
    run_version_1(machine)
    repo = machine.system.repo()
    before, images = machine.snapshot(), repo.images()
    for pages in range(100):
        with disk.space_left(pages * PAGE):
            error = told(lambda: OPERATIONS[operation](machine))
        if not error:
            break
        assert error.exit_code == 8, (pages, error)
        assert "No space left" in error.message or "no room for" in error.message, error
        assert "room" in (error.hint or "") or "space" in (error.hint or ""), error
        assert machine.snapshot() == before
        assert machine.version() == "1"
        assert repo.images() == images
        assert check(machine.system, Depth.CONTENT) == []
    assert 0 < pages < 99


@as_root
def test_b80_the_reserve_of_the_repo_is_told(disk: Disk, machine: "Machine") -> None:
    """Libostree keeps 3 % of a file system free; what an import needs beyond that is told in bytes."""
    run_version_1(machine)
    images = machine.system.repo().images()
    with disk.space_left(100 * PAGE), pytest.raises(SystemFaultError, match="bytes") as caught:
        machine.store("3", more={"/large": "x" * 200_000})
    assert "os-containers images prune" in (caught.value.hint or "")
    assert str(machine.paths.repo) in caught.value.message
    assert machine.system.repo().images() == images


@as_root
def test_b81_a_read_only_host_is_told_and_lists_work(disk: Disk, machine: "Machine") -> None:
    """As after an error of the disk, or on an image-based host."""
    run_version_1(machine)
    before, images = machine.snapshot(), list_images(machine.system)
    with disk.read_only():
        for operation in ("install", "update", "prune"):
            error = told(lambda name=operation: OPERATIONS[name](machine))  # type: ignore[misc]
            assert error
            assert (error.exit_code, error.hint) == (8, "mount its file system writable, then try again")
            assert "Read-only file system" in error.message
        assert [one.name for one in list_containers(machine.system)] == ["app"]
        assert list_images(machine.system) == images
    assert machine.snapshot() == before


@as_root
def test_b81_a_directory_that_cannot_be_removed_stops_an_uninstall(machine: "Machine") -> None:
    """It is empty, so nobody's data; afterwards no record would tell that it is ours."""
    machine.paths.state_directory.mkdir()
    with small_disk(machine.paths.state_directory) as disk:
        data = machine.paths.state_directory / "app"
        machine.store("1", exports={"tmpfiles.template": "d $STATE_DIRECTORY/app 0700\n"})
        install(machine.system, IMAGE, Choices())
        data.mkdir()
        before = machine.snapshot()
        with disk.read_only():
            error = told(lambda: uninstall(machine.system, "app"))
        assert error
        assert (error.exit_code, str(data) in error.message) == (8, True)
        assert machine.snapshot() == before
        uninstall(machine.system, "app")
        assert not data.exists()


@as_root
def test_b83_a_record_that_the_disk_does_not_give_back_is_named(machine: "Machine") -> None:
    """The list has it as broken, and check says where."""
    run_version_1(machine)
    info = machine.paths.deployments / "app/1/info"
    with unreadable(info):
        (listed,) = list_containers(machine.system)
        assert (listed.state, str(info) in listed.problem) == ("broken", True)
        assert "Input/output error" in listed.problem
        assert "I1" in {one.invariant for one in check(machine.system, Depth.NAMES)}
        with pytest.raises(BrokenError, match="Input/output error"):
            update(machine.system, "app", Choices())
    assert machine.version() == "1"
    assert check(machine.system, Depth.CONTENT) == []


@as_root
def test_b83_an_object_that_the_disk_does_not_give_back_is_named(machine: "Machine") -> None:
    """No deployment is made of it, and the way out is told."""
    run_version_1(machine)
    commit = machine.system.repo().image(f"{IMAGE}:latest").commit
    checksum = next(iter(machine.system.repo().whole_tree(commit).files.values()))
    before = machine.snapshot()
    with unreadable(machine.paths.repo / f"objects/{checksum[:2]}/{checksum[2:]}.file"):
        with pytest.raises(BrokenError, match=checksum) as caught:
            update(machine.system, "app", Choices())
        assert "os-containers repair" in (caught.value.hint or "")
        assert f"{checksum}.file" in {one.where for one in check(machine.system, Depth.CONTENT)}
    assert machine.snapshot() == before


@as_root
def test_b83_an_export_that_the_disk_does_not_give_back_is_no_fault_of_the_image(tmp_path: Path) -> None:
    """Exit code 8, with the path."""
    manifest = tmp_path / "exports/manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    with unreadable(manifest), pytest.raises(SystemFaultError, match="Input/output error") as caught:
        read_export(tmp_path, "exports/manifest.json", limit=100)
    assert str(manifest) in caught.value.message
    assert "os-containers repair" in (caught.value.hint or "")
