"""Directories for work in progress: gone when the work is done, and what stays is told."""

import os
import subprocess
from pathlib import Path

import pytest
from scarcity import descriptors_left

from os_containers.scratch import find_abandoned, scratch_directory


def test_what_is_in_it_at_the_end_is_removed(tmp_path: Path) -> None:
    """Also when the work has failed."""
    with pytest.raises(IsADirectoryError), scratch_directory(tmp_path, "work-") as scratch:
        scratch.path.write_text("it is a directory")
    assert list(tmp_path.iterdir()) == []


def test_b82_what_cannot_be_opened_is_not_left(tmp_path: Path) -> None:
    """Nobody would know of it: it has no lock yet."""
    with descriptors_left(1), pytest.raises(OSError, match="Too many"), scratch_directory(tmp_path, "work-"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_what_cannot_be_removed_is_told_and_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The work was done all the same; the next directory takes the place of the old one."""
    with scratch_directory(tmp_path, "work-") as scratch:
        mounted = scratch.path / "mounted"
        mounted.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    assert find_abandoned(tmp_path) == [scratch.path]
    with scratch_directory(tmp_path, "work-"):
        pass
    assert caplog.text.count("something is mounted") == 2
    subprocess.run(["umount", mounted], check=True)
    with scratch_directory(tmp_path, "work-"):
        assert not scratch.path.exists()
    assert list(tmp_path.iterdir()) == []
