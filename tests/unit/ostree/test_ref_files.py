"""Refs on disk: all of what is written together, or none."""

from pathlib import Path

import pytest

from os_containers.errors import BrokenError
from os_containers.ostree.ref_files import RefFiles

OLD, NEW = "0" * 64, "1" * 64


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path


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
    with pytest.raises((OSError, BrokenError)):
        refs.write({"x/there": NEW, "x/new": NEW, "x/blocked/ref": NEW})
    assert refs.read("x/there") == OLD
    assert refs.read("x/new") is None
    assert list((repo / "tmp").iterdir()) == []
