"""Files, safely."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scarcity import descriptors_left

from os_containers import files
from os_containers.errors import BusyError


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
    files.remove_tree(tree)
    assert not tree.exists()
    assert (victim / "file").read_text() == "x"


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
    with pytest.raises(files.NotPlainFileError):
        os.close(files.open_beneath(root, way))


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
    files.remove_tree(tree)
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
            files.remove_tree(tree)
    finally:
        subprocess.run(["umount", tree / "in here"], check=True)
    assert (data / "file").read_text() == "x"
    files.remove_tree(tree)


def test_b87_make_directory_lets_others_make_it(tmp_path: Path) -> None:
    """Two first commands on a fresh machine."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            made = list(pool.map(files.make_directory, [tmp_path / f"{number}/a/b"] * 8))
            assert sum(map(len, made)) == 3


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("rename", [files.rename_to_free_name, files.rename_by_link])
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
    assert sorted(names(tmp_path)) == ["new directory", "new file", "new link"]
    assert str((tmp_path / "new link").readlink()) == "nowhere"


def test_exchange_names_swaps_two_files_in_one_step(tmp_path: Path) -> None:
    """Of any kind; both must be there."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("nowhere")
    with opened(tmp_path) as here:
        assert files.exchange_names("a", "b", here)
        with pytest.raises(FileNotFoundError):
            files.exchange_names("a", "missing", here)
    assert str((tmp_path / "a").readlink()) == "nowhere"
    assert (tmp_path / "b").read_text() == "x"


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


def test_b82_a_file_that_nothing_is_wrong_with_is_a_plain_one(tmp_path: Path) -> None:
    """That the host has no descriptor for it says nothing about it."""
    (tmp_path / "file").touch()
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files") as caught:
        files.open_beneath(tmp_path, "file")
    assert not isinstance(caught.value, files.NotPlainFileError)
