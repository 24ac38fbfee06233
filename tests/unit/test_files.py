"""Files, safely."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scarcity import descriptors_left

from os_containers import files


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_write_atomic_replaces_the_whole_file(tmp_path: Path) -> None:
    """A shorter content leaves no tail, and no temporary file is left."""
    path = tmp_path / "a"
    files.write_atomic(path, b"a long content")
    files.write_atomic(path, b"short", mode=0o600)
    assert path.read_bytes() == b"short"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A directory cannot be replaced by a file."""
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        files.write_atomic(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a"]


def test_symlink_atomic_replaces_a_link(tmp_path: Path) -> None:
    """Also one that dangles."""
    files.symlink_atomic(tmp_path / "a", "first")
    files.symlink_atomic(tmp_path / "a", "second")
    assert str((tmp_path / "a").readlink()) == "second"


def test_make_directory_tells_what_it_created(tmp_path: Path) -> None:
    """Outermost first, so that they can be removed in reverse."""
    assert files.make_directory(tmp_path / "a/b", mode=0o700) == [tmp_path / "a", tmp_path / "a/b"]
    assert files.make_directory(tmp_path / "a/b") == []
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


def test_b87_make_directory_lets_others_make_it(tmp_path: Path) -> None:
    """Two first commands on a fresh machine."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            made = list(pool.map(files.make_directory, [tmp_path / f"{number}/a/b"] * 8))
            assert sum(map(len, made)) == 3


def test_b94_a_directory_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    """Whoever removes what is not needed must see all that needs something."""
    (tmp_path / "inner/deeper").mkdir(parents=True)
    (tmp_path / "inner/deeper/file").touch()
    (tmp_path / "inner/link").symlink_to("nowhere")
    (tmp_path / "early").touch()
    found = [str(path.relative_to(tmp_path)) for path in files.entries_beneath(tmp_path, levels=2)]
    assert found == ["early", "inner/deeper", "inner/link"]
    assert files.entries_beneath(tmp_path / "missing", levels=2) == []
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files"):
        files.entries_beneath(tmp_path, levels=1)
