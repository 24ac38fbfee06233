"""Names exchanged, and taken when they are free."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from os_containers.host import renames


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("rename", [renames.rename_to_free_name, renames.rename_by_link])
def test_rename_to_a_free_name_never_replaces(tmp_path: Path, rename: Callable[..., None]) -> None:
    """A file, a symlink or a directory; with renameat2 and without."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "directory").mkdir()
    with opened(tmp_path) as here:
        for name in ("file", "link", "directory"):
            for taken in {"file", "link", "directory"} - {name}:
                with pytest.raises(FileExistsError):
                    rename(name, taken, old_fd=here, new_fd=here)
        for name in ("file", "link", "directory"):
            rename(name, f"new {name}", old_fd=here, new_fd=here)
        with pytest.raises(FileNotFoundError):
            rename("missing", "new", old_fd=here, new_fd=here)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new directory", "new file", "new link"]
    assert str((tmp_path / "new link").readlink()) == "nowhere"


def test_exchange_names_swaps_two_files_in_one_step(tmp_path: Path) -> None:
    """Of any kind; both must be there."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("nowhere")
    with opened(tmp_path) as here:
        assert renames.exchange_names("a", "b", here)
        with pytest.raises(FileNotFoundError):
            renames.exchange_names("a", "missing", here)
    assert str((tmp_path / "a").readlink()) == "nowhere"
    assert (tmp_path / "b").read_text() == "x"
