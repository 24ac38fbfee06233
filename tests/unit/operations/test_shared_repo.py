"""Two states with one repo: neither takes what is the other's for abandoned."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import FakeServices

from os_containers.errors import BusyError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.images import WhenInUse, delete_images, list_images
from os_containers.operations.install import install
from os_containers.operations.prune import plan_prune, prune
from os_containers.operations.recover import recover_all
from os_containers.operations.repair import repair
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.uninstall import uninstall
from os_containers.ostree import refs

if TYPE_CHECKING:
    from conftest import Machine

IMAGE = "example.org/app"


def other_state(machine: "Machine") -> System:
    """Return the system of another state that uses the same repo, with units of its own."""
    units = machine.root / "other-units"
    units.mkdir()
    paths = replace(machine.paths, state=machine.root / "other", units=units, tmpfiles=units)
    return replace(machine.system, paths=paths, services=FakeServices(units))


def tidy(system: System) -> None:
    """Let every command have its turn that removes what nobody needs."""
    recover_all(system, Start.WATCHED)
    assert repair(system, ProxyOptions()) == []
    prune(system)


@pytest.fixture(params=["in one of the states", "in none"])
def machine(request: pytest.FixtureRequest, machine: "Machine") -> "Machine":
    if request.param == "in none":
        machine.paths = replace(machine.paths, repo=machine.root / "srv/repo")
    return machine


def test_what_the_other_state_has_deployed_stays(machine: "Machine") -> None:
    """Also when it has a container of the same name and serial, made of another image that lost its name."""
    other = other_state(machine)
    machine.store("1")
    install(machine.system, IMAGE, Choices())
    machine.store("2")
    install(other, IMAGE, Choices())
    delete_images(machine.system, [IMAGE], WhenInUse.DELETE)
    for system in (machine.system, other):
        assert plan_prune(system).pruned.objects == 0
        tidy(system)
    versions = [system.paths.state / "app/rootfs/version" for system in (machine.system, other)]
    assert [path.read_text() for path in versions] == ["1", "2"]
    assert [check(system, Depth.CONTENT) for system in (machine.system, other)] == [[], []]
    uninstall(machine.system, "app")
    tidy(machine.system)
    assert check(other, Depth.CONTENT) == []
    uninstall(other, "app")
    tidy(other)
    assert machine.system.repo().layers() == []


def test_images_tell_who_uses_them_in_the_other_state(machine: "Machine") -> None:
    """With the place of that state: its name alone would be looked for here."""
    other = other_state(machine)
    machine.store("1")
    install(other, IMAGE, Choices())
    (listed,) = list_images(machine.system)
    assert [(use.container, use.active) for use in listed.uses] == [(f"app ({other.paths.state})", True)]


def test_nobody_prunes_while_the_other_state_uses_the_store(machine: "Machine") -> None:
    """The lock is the repo's."""
    other = replace(other_state(machine), lock_timeout=0)
    machine.system.repo()
    with machine.system.store_in_use(), pytest.raises(BusyError):
        prune(other)


def test_pins_from_before_they_told_their_state_count(machine: "Machine") -> None:
    """Who has such a deployment has a pin of its own once it is recovered; the old one stays."""
    other = other_state(machine)
    stored = machine.store("1")
    install(other, IMAGE, Choices())
    repo = other.repo()
    repo.pins.remove("app", 1)
    heads = machine.paths.repo / "refs/heads"
    old = heads / refs.pin_ref("app", 1)
    old.parent.mkdir(parents=True)
    old.write_text(f"{stored.commit}\n")
    recover_all(other, Start.WATCHED)
    assert repo.pins.commits() == {("app", 1): stored.commit}
    assert old.exists()
    assert check(other, Depth.CONTENT) == []


def test_a_state_reached_by_a_link_is_the_same(machine: "Machine") -> None:
    """Its pins are known by where it really is."""
    machine.store("1")
    install(machine.system, IMAGE, Choices())
    link = Path(machine.root / "link")
    link.symlink_to(machine.paths.state)
    linked = replace(machine.system, paths=replace(machine.paths, state=link))
    assert linked.repo().pins.commits() == machine.system.repo().pins.commits()


def test_repair_removes_nothing_from_a_repo_that_is_not_ours_alone(machine: "Machine") -> None:
    """What looks damaged to us may be a host's own file, whose label counts in its checksum."""
    repo = machine.root / "elsewhere/repo"
    machine.paths = replace(machine.paths, repo=repo)
    machine.store("1")
    somebodys = repo / "objects/00" / f"{'0' * 62}.file"
    somebodys.parent.mkdir(exist_ok=True)
    somebodys.write_text("the host's")
    assert repair(machine.system, ProxyOptions()) == []
    assert somebodys.read_text() == "the host's"
