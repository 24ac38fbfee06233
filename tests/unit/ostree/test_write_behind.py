"""What is written in the background."""

import threading
from pathlib import Path

import pytest

from os_containers.ostree.write_behind import MOST, write_behind


def test_a_thread_is_there_only_for_much_and_only_as_long_as_it_works(tmp_path: Path) -> None:
    """A small layer needs none, and the end waits for one that is at work."""
    before = threading.active_count()
    with write_behind(tmp_path) as behind:
        behind.written(MOST - 1)
        assert threading.active_count() == before
        for _ in range(50):
            behind.written(MOST)
            assert threading.active_count() <= before + 1
        behind.finish()
        assert threading.active_count() == before
        behind.written(MOST)
    assert threading.active_count() == before


def test_what_cannot_be_synced_is_told_in_the_end_alone(tmp_path: Path) -> None:
    """The thread says nothing."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with write_behind(gone) as behind:
        gone.rmdir()
        behind.written(MOST)
        behind.wait()
        behind.finish()


def test_there_must_be_a_directory(tmp_path: Path) -> None:
    """Of the repo, whose file system is meant."""
    with pytest.raises(FileNotFoundError), write_behind(tmp_path / "missing"):
        pass
