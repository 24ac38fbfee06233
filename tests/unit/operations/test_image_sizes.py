"""What an image takes on the disk, and how much of that goes with it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.cli.image_info import show
from os_containers.operations.choices import Choices
from os_containers.operations.image_info import image_info
from os_containers.operations.images import WhenInUse, delete_images, list_images, tag_image
from os_containers.operations.install import install
from os_containers.operations.prune import prune
from os_containers.operations.uninstall import uninstall
from os_containers.ostree.objects import object_path

if TYPE_CHECKING:
    from conftest import Machine


def test_an_image_has_the_sizes_that_a_list_has(machine: "Machine") -> None:
    """People compare them."""
    machine.store("1", more={"/big": "x" * 1000}, name="example.org/base:1")
    machine.store("1", more={"/big": "x" * 1000}, exports={"manifest.json": "{}"})
    tag_image(machine.system, "example.org/app", "example.org/other:1")
    for listed in list_images(machine.system):
        stored = image_info(machine.system, listed.image.name).stored
        assert stored
        assert (stored.size, stored.layers) == (listed.image.size, listed.sizes)


def freed(machine: "Machine", name: str) -> int:
    stored = image_info(machine.system, name).stored
    assert stored
    assert stored.on_disk
    return stored.on_disk.own


def frees(machine: "Machine", *names: str) -> int:
    """Delete an image by all its names, and return what prune frees then."""
    delete_images(machine.system, names)
    return prune(machine.system).bytes


def test_an_image_tells_what_goes_with_it(machine: "Machine") -> None:
    """That is what prune frees: of layers or files that others have, nothing."""
    machine.store("1", more={"/a": "x" * 100_000}, name="example.org/base:1")
    machine.store(
        "1", more={"/a": "x" * 100_000}, exports={"manifest.json": "{}"}, name="example.org/layers:1"
    )
    machine.store("1", more={"/a": "x" * 100_000, "/b": "y" * 5000}, name="example.org/files:1")
    for name, at_least, less_than in (
        ("example.org/layers:1", 100, 100_000),
        ("example.org/files:1", 5000, 100_000),
        ("example.org/base:1", 100_000, 200_000),
    ):
        told = freed(machine, name)
        assert at_least < told < less_than
        assert frees(machine, name) == told


def test_an_image_with_two_names_goes_with_the_last(machine: "Machine") -> None:
    """Either tells the same."""
    machine.store("1", name="example.org/a:1")
    tag_image(machine.system, "example.org/a:1", "example.org/b:1")
    told = freed(machine, "example.org/a:1")
    assert told == freed(machine, "example.org/b:1") > 0
    assert frees(machine, "example.org/a:1") == 0
    assert frees(machine, "example.org/b:1") == told


def test_an_image_in_use_goes_when_its_last_container_has_gone(
    machine: "Machine", capsys: pytest.CaptureFixture[str]
) -> None:
    """As it says."""
    machine.store("1")
    install(machine.system, "example.org/app", Choices())
    info = image_info(machine.system, "example.org/app")
    show(info)
    assert "without it and its containers, images prune frees" in capsys.readouterr().out
    told = freed(machine, "example.org/app")
    delete_images(machine.system, ["example.org/app"], WhenInUse.DELETE)
    assert prune(machine.system).bytes == 0
    assert freed(machine, info.digest) == told
    uninstall(machine.system, "app")
    assert prune(machine.system).bytes == told


def test_what_others_have_in_the_repo_does_not_go(machine: "Machine") -> None:
    """Nor what goes with a layer that an image had that was deleted."""
    image = machine.store("1", more={"/a": "x" * 100_000})
    whole = freed(machine, "example.org/app")
    machine.store("1", more={"/a": "x" * 100_000}, exports={"manifest.json": "{}"}, name="example.org/gone:1")
    delete_images(machine.system, ["example.org/gone:1"])
    assert freed(machine, "example.org/app") == whole
    machine.system.repo().refs.write({"host/root": image.commit})
    assert freed(machine, "example.org/app") < whole / 10


def test_an_image_beside_a_damaged_one_is_shown(machine: "Machine") -> None:
    """Nothing can be freed then, so there is no saying what."""
    machine.store("1")
    machine.store("2", name="example.org/damaged:1")
    repo = machine.system.repo()
    commit = repo.image("example.org/damaged:1").commit
    Path(object_path(repo.path, f"{commit}.commit")).unlink()
    stored = image_info(machine.system, "example.org/app").stored
    assert stored
    assert stored.on_disk is None
    assert "what it takes on the disk is not known" in " ".join(machine.told())
