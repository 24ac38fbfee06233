"""Whether images are what was pulled; registries are asked in tests/integration/test_image_commands.py."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scarcity import unreadable

from os_containers.cli.verified_images import exit_code, show_verified
from os_containers.errors import NotFoundError
from os_containers.image.access import ProxyOptions
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.verify_images import Ask, Latest, VerifiedImage, verify_images
from os_containers.ostree.reachability import reachable
from os_containers.ostree.refs import image_ref

if TYPE_CHECKING:
    from conftest import Machine


def verified(machine: "Machine", *images: str) -> list[VerifiedImage]:
    return list(verify_images(machine.system, images, ask=Ask.OBJECTS, options=ProxyOptions()))


def objects(machine: "Machine", kind: str) -> list[Path]:
    return sorted(machine.paths.repo.glob(f"objects/*/*.{kind}"))


def test_an_intact_image_is_told(machine: "Machine") -> None:
    """By each of its names, or just the one that was asked for, by name or by id."""
    image = machine.store("1", name="example.org/a:1")
    machine.store("2", name="example.org/b:1")
    found = verified(machine)
    assert [(one.name, one.intact, one.latest) for one in found] == [
        ("example.org/a:1", True, Latest.NOT_ASKED),
        ("example.org/b:1", True, Latest.NOT_ASKED),
    ]
    assert verified(machine, image.digest.hex[:12]) == verified(machine, "example.org/a:1") == found[:1]
    with pytest.raises(NotFoundError):
        verified(machine, "example.org/a:1", "example.org/nothing:1")


def test_a_damaged_image_is_told_beside_the_intact_ones(machine: "Machine") -> None:
    """One whose file was changed, and one whose commit nobody can read."""
    machine.store("1", name="example.org/intact:1")
    changed = machine.store("2", name="example.org/changed:1")
    lost = machine.store("3", name="example.org/lost:1")
    repo = machine.system.repo()
    (repo.path / "refs/heads/ociimage/_no_name").write_text("x")
    (name,) = {
        one
        for one in reachable(repo.path, [changed.commit])
        if one.endswith(".file") and (repo.path / "objects" / one[:2] / one[2:]).read_bytes() == b"2"
    }
    (repo.path / "objects" / name[:2] / name[2:]).write_text("x")
    (repo.path / "objects" / lost.commit[:2] / f"{lost.commit[2:]}.commit").unlink()
    found = {one.name: one for one in verified(machine)}
    assert found["example.org/intact:1"].intact is True
    assert found["example.org/changed:1"].damage == f"damaged or missing: the object {name}"
    assert (found["example.org/lost:1"].intact, found["example.org/lost:1"].digest) == (False, None)
    assert exit_code(list(found.values())) == 10


def test_an_image_that_has_lost_its_name_is_looked_at(machine: "Machine") -> None:
    """A container runs it; it is asked for by its id, and damage of it counts."""
    first = machine.store("1")
    install(machine.system, "example.org/app", Choices())
    machine.store("2")
    assert [(one.name, one.intact) for one in verified(machine)] == [
        ("example.org/app:latest", True),
        ("", True),
    ]
    for path in objects(machine, "file"):
        if path.read_bytes() == b"1":
            path.unlink()
    (found,) = verified(machine, first.digest.hex[:12])
    assert (found.name, found.digest, found.intact) == ("", str(first.digest), False)
    assert exit_code(verified(machine)) == 10


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_an_image_that_the_disk_does_not_give_stops_no_other(machine: "Machine") -> None:
    """It is neither intact nor damaged: nobody could look."""
    machine.store("1", name="example.org/a:1")
    machine.store("2", name="example.org/b:1")
    with unreadable(machine.paths.repo / "refs/heads" / image_ref("example.org/a:1")):
        found = verified(machine)
    assert [(one.name, one.intact) for one in found] == [("example.org/a:1", None), ("example.org/b:1", True)]
    assert found[0].fault == "Input/output error"
    assert exit_code(found) == 8


def test_the_exit_code_tells_the_worst(capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged image before a registry that does not answer, and that before a newer image."""
    intact = VerifiedImage("a:1", "sha256:aa", intact=True, damage=None, latest=Latest.SAME)
    newer = VerifiedImage("b:1", "sha256:aa", True, None, Latest.NEWER, "sha256:bb")  # noqa: FBT003
    failed = VerifiedImage("c:1", "sha256:aa", True, None, Latest.FAILED, None, "no answer")  # noqa: FBT003
    damaged = VerifiedImage("d:1", None, intact=False, damage="x", latest=Latest.NOT_ASKED)
    lists = ([], [intact], [intact, newer], [newer, failed], [failed, damaged])
    assert [exit_code(one) for one in lists] == [0, 0, 12, 11, 10]
    show_verified([intact, newer, failed, damaged])
    shown = capsys.readouterr()
    assert [line.split()[2:] for line in shown.out.splitlines()[1:]] == [
        ["intact", "latest"],
        ["intact", "newer:", "bb"],
        ["intact", "failed"],
        ["not", "asked"],
    ]
    assert "warning: c:1: no answer" in shown.err
    assert "os-containers repair" in shown.err
