"""A repo in which others keep something, too, as that of the host: nothing of theirs is taken or judged."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.config import Config
from os_containers.errors import SystemFaultError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.prune import plan_prune, prune
from os_containers.operations.repair import repair
from os_containers.operations.uninstall import uninstall
from os_containers.ostree.shared import objects_of_others, our_damaged_objects
from os_containers.paths import Mode

if TYPE_CHECKING:
    from conftest import Machine

IMAGE = "example.org/app"

pytestmark = pytest.mark.skipif(not shutil.which("ostree"), reason="ostree is not installed")


@pytest.fixture
def machine(machine: "Machine") -> "Machine":
    """Give a host with two commits of its own, one after the other, in the repo that is ours, too."""
    machine.paths = replace(machine.paths, repo=machine.root / "ostree/repo")
    machine.paths.repo.parent.mkdir()
    ostree(machine, "init", f"--mode={'bare' if machine.paths.mode is Mode.SYSTEM else 'bare-user'}")
    tree = machine.root / "host-tree"
    tree.mkdir()
    for content in ("before", "now"):
        (tree / "version").write_text(content)
        (tree / "labelled").write_text("host")
        if os.geteuid() == 0:
            os.setxattr(tree / "labelled", "security.selinux", b"system_u:object_r:etc_t:s0\0")
        ostree(machine, "commit", "--branch=ostree/0/1/0", str(tree))
    return machine


def ostree(machine: "Machine", command: str, *words: str) -> str:
    argv = ["ostree", command, f"--repo={machine.paths.repo}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def objects(machine: "Machine") -> set[Path]:
    return set((machine.paths.repo / "objects").glob("*/*"))


def damage(machine: "Machine", content: str) -> Path:
    """Write into the object of a file of that content, and return it."""
    files = [path for path in objects(machine) if path.suffix == ".file" and not path.is_symlink()]
    (found,) = [path for path in files if path.read_text() == content]
    found.chmod(0o644)
    found.write_text("rotten")
    return found


def test_what_others_have_is_neither_judged_nor_removed(machine: "Machine") -> None:
    """With its labels, and with the commit before the one that the ref names."""
    theirs = objects(machine)
    machine.store("1")
    install(machine.system, IMAGE, Choices())
    assert check(machine.system, Depth.CONTENT) == []
    assert repair(machine.system, ProxyOptions()) == []
    assert plan_prune(machine.system).pruned.objects == 0
    assert prune(machine.system).objects == 0
    uninstall(machine.system, "app")
    machine.system.repo().delete_image(f"{IMAGE}:latest")
    foreseen = plan_prune(machine.system).pruned.objects
    assert prune(machine.system).objects == foreseen > 0
    assert objects(machine) == theirs
    ostree(machine, "fsck", "--quiet")


def test_what_is_damaged_of_others_stays(machine: "Machine") -> None:
    """Nobody here could fetch it again; what is ours alone is still found."""
    machine.store("1")
    theirs = damage(machine, "before")
    assert repair(machine.system, ProxyOptions()) == []
    assert theirs.exists()
    ours = damage(machine, "1")
    repo = machine.system.repo()
    assert list(our_damaged_objects(repo)) == [f"{ours.parent.name}{ours.name}"]
    assert f"{ours.parent.name}{ours.name}" not in objects_of_others(repo)


def test_what_is_damaged_and_needed_by_both_stays(machine: "Machine") -> None:
    """That is told, with what to do; check names it."""
    stored = machine.store("1")
    ostree(machine, "refs", "--create=theirs", stored.commit)
    damaged = damage(machine, "1")
    repair(machine.system, ProxyOptions())
    assert damaged.exists()
    assert any("stays: others need it, too" in text for text in machine.told())
    assert [problem.invariant for problem in check(machine.system, Depth.CONTENT)] == ["I10"]


def test_what_others_have_only_a_part_of_is_no_hindrance(machine: "Machine") -> None:
    """As the newest commit of a remote, of which a host has looked at the version alone."""
    source = machine.root / "source"
    subprocess.run(["ostree", "init", "--mode=archive", f"--repo={source}"], check=True)
    tree = machine.root / "host-tree"
    (tree / "version").write_text("next")
    words = ["ostree", "commit", f"--repo={source}", "--branch=next", str(tree)]
    subprocess.run(words, capture_output=True, check=True)
    ostree(machine, "pull-local", "--commit-metadata-only", "--remote=origin", str(source), "next")
    machine.store("1")
    ours = damage(machine, "1")
    assert plan_prune(machine.system).pruned.objects == 0
    repair(machine.system, ProxyOptions())
    # there is no such registry
    assert ours.exists()
    assert any("stays: it could not be fetched again" in text for text in machine.told())


def test_what_no_ref_needs_is_nobodys_business(machine: "Machine") -> None:
    """Somebody may be about to write the ref: the repo is not in our state."""
    ostree(machine, "refs", "--delete", "ostree/0/1/0")
    theirs = damage(machine, "now")
    machine.store("1")
    assert repair(machine.system, ProxyOptions()) == []
    assert theirs.exists()


def test_nothing_is_removed_when_it_cannot_be_told_what_others_need(machine: "Machine") -> None:
    """As after a fetch of theirs that was interrupted."""
    machine.store("1")
    damaged = damage(machine, "1")
    commit = ostree(machine, "rev-parse", "ostree/0/1/0").strip()
    (machine.paths.repo / "objects" / commit[:2] / f"{commit[2:]}.commit").unlink()
    repair(machine.system, ProxyOptions())
    assert damaged.exists()
    assert any("what others need in" in text for text in machine.told())


@pytest.mark.parametrize(
    ("environment", "origins", "who"),
    [
        ({"OSTREE_REPO": "/e"}, {"repo": "/etc/x.toml"}, "OSTREE_REPO"),
        ({}, {"repo": "/etc/x.toml"}, "repo in /etc/x.toml"),
        ({}, {}, "repo in config.toml, or OSTREE_REPO"),
    ],
)
def test_a_repo_that_is_not_for_us_is_told_with_who_chose_it(
    machine: "Machine", environment: dict[str, str], origins: dict[str, str], who: str
) -> None:
    """There another one can be named."""
    machine.paths = replace(machine.paths, repo=machine.root / "archive")
    ostree(machine, "init", "--mode=archive")
    system = replace(machine.system, environment=environment, given=Config(origins=origins))
    with pytest.raises(SystemFaultError, match="does not have the mode bare") as caught:
        system.repo()
    assert caught.value.hint == f"name another directory: {who}"
