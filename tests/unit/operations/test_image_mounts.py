"""Images to look into, without mounting any; tests/integration/test_image_commands.py does that."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import NotFoundError, UsageError
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.image_mounts import mount_image, mounted_images, unmount_image
from os_containers.operations.prune import plan_prune, prune
from os_containers.operations.recover import recover_all
from os_containers.operations.service import Start
from os_containers.paths import Mode

if TYPE_CHECKING:
    from conftest import Machine

IMAGE = "example.org/app:latest"


@pytest.mark.parametrize("remove", ["recover", "prune"])
def test_a_checkout_that_is_mounted_nowhere_is_left_over(machine: "Machine", remove: str) -> None:
    """As after umount(8): check tells it and finds nothing wrong, either command removes it."""
    machine.store("1")
    left = machine.paths.mounted / ("a" * 64)
    (left / "etc").mkdir(parents=True)
    (left / "etc/x").write_text("x")
    assert check(machine.system, Depth.NAMES) == []
    what = "an image was mounted here, but no longer is: the next command that changes something removes it"
    assert machine.told() == [f"{left}: {what}"]
    point = machine.paths.run_directory / "os-containers/images/aaaaaaaaaaaa"
    point.mkdir(parents=True)
    assert plan_prune(machine.system).leftovers == (left, point)
    if remove == "recover":
        recover_all(machine.system, Start.WATCHED)
    else:
        prune(machine.system)
    assert not machine.paths.mounted.exists()
    assert not point.parent.parent.exists()
    assert check(machine.system, Depth.NAMES) == []


def test_what_is_mounted_nowhere_is_told(machine: "Machine", tmp_path: Path) -> None:
    """By a directory, by an image, and by nothing that is either."""
    machine.store("1")
    assert mounted_images(machine.system) == []
    with pytest.raises(NotFoundError, match="no image is mounted at"):
        unmount_image(machine.system, str(tmp_path))
    with pytest.raises(NotFoundError, match="app is not mounted"):
        unmount_image(machine.system, "example.org/app")
    with pytest.raises(NotFoundError) as caught:
        unmount_image(machine.system, "example.org/ap")
    assert caught.value.hint == f"did you mean {IMAGE}?"


def test_a_user_is_told_what_works_instead(machine: "Machine") -> None:
    """Nothing is made for it."""
    system = replace(machine.system, paths=replace(machine.paths, mode=Mode.USER))
    with pytest.raises(UsageError, match="only root") as caught:
        mount_image(system, IMAGE)
    assert caught.value.hint == f"to look into it: os-containers run {IMAGE} ls -l /"
    assert not machine.paths.mounted.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("given", ["missing", "file"])
def test_what_is_no_directory_is_no_place_to_mount(machine: "Machine", given: str) -> None:
    """Before anything is made."""
    machine.store("1")
    (machine.root / "file").write_text("")
    with pytest.raises(NotFoundError, match="is not a directory"):
        mount_image(machine.system, IMAGE, machine.root / given)
    assert not machine.paths.mounted.exists()
