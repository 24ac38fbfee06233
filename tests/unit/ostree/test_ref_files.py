"""Refs on disk: all of what is written together, or none."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from os_containers.errors import BrokenError, SystemFaultError
from os_containers.ostree.ref_files import RefFiles

OLD, NEW = "0" * 64, "1" * 64


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path


def test_what_another_command_has_written_since_stays(repo: Path) -> None:
    """Also when it is the same: it was told as done."""
    refs = RefFiles(repo)
    # what is in the way of the second ref is another command, at work on the first
    (repo / "refs/heads/x").mkdir(parents=True)
    blocked = repo / "refs/heads/x/blocked"
    blocked.write_text("in the way")

    class Meanwhile(Mapping[str, str]):
        """The refs to be written; before the last is asked for, somebody else writes the first."""

        def __getitem__(self, ref: str) -> str:
            return NEW

        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[str]:
            yield "x/image"
            RefFiles(repo).write({"x/image": NEW})
            yield "x/blocked/ref"

    with pytest.raises(SystemFaultError, match="Not a directory"):
        refs.write(Meanwhile())
    assert refs.read("x/image") == NEW


def test_b94_a_ref_that_nobody_can_read_is_written_anew(repo: Path) -> None:
    """A pull heals it."""
    ref = repo / "refs/heads/x/loop"
    ref.parent.mkdir(parents=True)
    ref.symlink_to("loop")
    with pytest.raises(BrokenError, match="is damaged"):
        RefFiles(repo).read("x/loop")
    RefFiles(repo).write({"x/loop": NEW})
    assert RefFiles(repo).read("x/loop") == NEW


@pytest.mark.parametrize("obstacle", ["a file", "a directory"])
def test_b80_refs_that_cannot_all_be_written_stay_as_they_were(repo: Path, obstacle: str) -> None:
    """A failed pull leaves the name as it was, and none where there was none."""
    refs = RefFiles(repo)
    refs.write({"x/there": OLD})
    blocked = repo / "refs/heads/x/blocked"
    if obstacle == "a file":
        blocked.write_text("in the way")
    else:
        (blocked / "ref/in-the-way").mkdir(parents=True)
    with pytest.raises((SystemFaultError, BrokenError)):
        refs.write({"x/there": NEW, "x/new": NEW, "x/blocked/ref": NEW})
    assert refs.read("x/there") == OLD
    assert refs.read("x/new") is None
    assert list((repo / "tmp").iterdir()) == []
