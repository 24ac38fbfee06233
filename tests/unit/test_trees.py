"""Trees of directories, removed."""

import os
import subprocess
from pathlib import Path

import pytest

from os_containers import trees
from os_containers.errors import BusyError


def test_cve_2026_34079_remove_tree_removes_what_is_not_writable_and_follows_no_link(tmp_path: Path) -> None:
    """An image may have directories of mode 000; the target of a link stays."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("x")
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed/file").write_text("x")
    (tree / "link").symlink_to(victim)
    (tree / "closed").chmod(0)
    trees.remove_tree(tree)
    assert not tree.exists()
    assert (victim / "file").read_text() == "x"


def test_b46_remove_tree_removes_what_is_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    """A layer's path may have 4095 bytes, and more stands before it on the host."""
    before = os.open(".", os.O_PATH)
    tree = tmp_path / "tree"
    tree.mkdir()
    try:
        os.chdir(tree)
        for _ in range(30):
            os.mkdir("d" * 250)  # noqa: PTH102 - no path is long enough
            os.chdir("d" * 250)
            Path("file").touch()
    finally:
        os.fchdir(before)
        os.close(before)
    trees.remove_tree(tree)
    assert not tree.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_b101_remove_tree_refuses_what_is_mounted_in_it(tmp_path: Path) -> None:
    """A directory of the same file system, which no look at the device tells."""
    data, tree = tmp_path / "my data", tmp_path / "tree"
    (tree / "in here").mkdir(parents=True)
    data.mkdir()
    (data / "file").write_text("x")
    subprocess.run(["mount", "--bind", data, tree / "in here"], check=True)
    try:
        with pytest.raises(BusyError, match="something is mounted at"):
            trees.remove_tree(tree)
    finally:
        subprocess.run(["umount", tree / "in here"], check=True)
    assert (data / "file").read_text() == "x"
    trees.remove_tree(tree)
