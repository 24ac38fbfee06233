"""A file of an image, opened."""

import os
from pathlib import Path

import pytest
from scarcity import descriptors_left

from os_containers.deployment import beneath


@pytest.mark.parametrize("way", ["link/secret", "link2", "dir", "pipe"])
def test_b60_open_beneath_follows_no_link_and_opens_files_only(tmp_path: Path, way: str) -> None:
    """A pipe does not make it wait."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("x")
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "link2").symlink_to(tmp_path / "outside/secret")
    os.mkfifo(root / "pipe")
    with pytest.raises(beneath.NotPlainFileError):
        os.close(beneath.open_beneath(root, way))


def test_b82_a_file_that_nothing_is_wrong_with_is_a_plain_one(tmp_path: Path) -> None:
    """That the host has no descriptor for it says nothing about it."""
    (tmp_path / "file").touch()
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files") as caught:
        beneath.open_beneath(tmp_path, "file")
    assert not isinstance(caught.value, beneath.NotPlainFileError)
