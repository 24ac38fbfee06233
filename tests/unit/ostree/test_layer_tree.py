"""What the entries of one layer make, in whatever order they come."""

from collections.abc import Callable

import pytest

from os_containers.errors import ImageError
from os_containers.ostree.layer_tree import LayerTree, is_bookkeeping, is_whiteout
from os_containers.ostree.tree import Directory

Step = Callable[[LayerTree], None]


def directory(path: str, meta: str = "m") -> Step:
    return lambda tree: tree.add_directory(path, meta)


def file(path: str, checksum: str = "1") -> Step:
    return lambda tree: tree.add_file(path, checksum)


def symlink(path: str) -> Step:
    return lambda tree: tree.add_link(path, "s")


def hard_link(path: str, target: str) -> Step:
    return lambda tree: tree.add_hard_link(path, target)


def made_of(*steps: Step) -> LayerTree:
    tree = LayerTree()
    for step in steps:
        step(tree)
    tree.finish()
    return tree


def root(*, meta: str | None = None, **entries: str | Directory) -> Directory:
    return Directory(
        meta=meta,
        files={name: one for name, one in entries.items() if isinstance(one, str)},
        directories={name: one for name, one in entries.items() if isinstance(one, Directory)},
    )


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        pytest.param([], root(), id="B15 nothing"),
        pytest.param([directory("")], root(meta="m"), id="B39 root attributes"),
        pytest.param([file("a/b")], root(a=root(b="1")), id="implied parent"),
        pytest.param([directory("a"), file("a/b")], root(a=root(meta="m", b="1")), id="parent first"),
        pytest.param([file("a/b"), directory("a")], root(a=root(meta="m", b="1")), id="parent last"),
        pytest.param([file("a"), hard_link("b", "a")], root(a="1", b="1"), id="B25 backward"),
        pytest.param([hard_link("b", "d/a"), file("d/a")], root(b="1", d=root(a="1")), id="B25 forward"),
        pytest.param([symlink("a"), hard_link("b", "a")], root(a="s", b="s"), id="B25 link to a symlink"),
        pytest.param([file("a"), file("a", "2")], root(a="2"), id="B41 last file"),
        pytest.param([directory("a"), file("a")], root(a="1"), id="B41 empty directory, then file"),
        pytest.param([file("a"), directory("a")], root(a=root(meta="m")), id="B41 file, then directory"),
        pytest.param([symlink("etc/dev")], root(etc=root(dev="s")), id="dev elsewhere"),
    ],
)
def test_entries_make_a_tree(steps: list[Step], made: Directory) -> None:
    assert made_of(*steps).root == made


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param([symlink("a"), file("a/b")], "beneath", id="B23 through a symlink"),
        pytest.param([file("a"), directory("a/b/c")], "beneath", id="B23 through a file"),
        pytest.param([file("a/b"), symlink("a")], "directory with content", id="B23 symlink afterwards"),
        pytest.param([hard_link("a", "b")], "not a file of its layer", id="B25 missing"),
        pytest.param([directory("b"), hard_link("a", "b")], "not a file of its layer", id="B25 directory"),
        pytest.param([hard_link("a", "")], "not a file of its layer", id="B25 root"),
        pytest.param([hard_link("a", "a")], "not a file of its layer", id="B25 itself"),
        pytest.param(
            [file(".wh.b"), hard_link("a", ".wh.b")], "not a file of its layer", id="link to whiteout"
        ),
        pytest.param([file("")], "root of a layer", id="B39 root as a file"),
        pytest.param([symlink("")], "root of a layer", id="B39 root as a symlink"),
        pytest.param([file("a"), hard_link("", "a")], "root of a layer", id="B39 root as a hard link"),
        pytest.param([symlink("dev")], "/dev is a link", id="dev as a symlink"),
        pytest.param([symlink("a"), hard_link("proc", "a")], "/proc is a link", id="proc as a hard link"),
        pytest.param([hard_link("sys", "a"), symlink("a")], "/sys is a link", id="sys as a later hard link"),
    ],
)
def test_what_contradicts_itself_is_refused(steps: list[Step], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        made_of(*steps)


def test_b41_repetitions_are_counted() -> None:
    steps = [file("a"), file("a"), directory("d"), directory("d"), directory("a"), file("b"), file("d/c")]
    assert made_of(*steps).repeated == 3


@pytest.mark.parametrize(
    ("path", "hides"),
    [("a", False), ("a.wh.b", False), ("d/.wh.b", True), (".wh..wh..opq", True), (".wh....", True)],
)
def test_a_whiteout_is_told_by_its_name(path: str, hides: bool) -> None:  # noqa: FBT001 - a table of facts
    assert is_whiteout(path) is hides


@pytest.mark.parametrize(
    "path", [".wh.", ".wh..", ".wh...", "d/.wh..", ".wh./x", ".wh.a/x", ".wh..wh..opq/x"]
)
def test_b31_what_only_pretends_to_be_a_whiteout_is_refused(path: str) -> None:
    with pytest.raises(ImageError):
        is_whiteout(path)


@pytest.mark.parametrize(
    ("path", "skipped"),
    [
        (".wh..wh.plnk", True),
        (".wh..wh.plnk/17.4", True),
        (".wh..wh.aufs", True),
        ("d/.wh..wh.orph", True),
        (".wh..wh..opq", False),
        (".wh.a", False),
        ("a", False),
    ],
)
def test_b33_what_aufs_left_is_skipped(path: str, skipped: bool) -> None:  # noqa: FBT001 - a table of facts
    assert is_bookkeeping(path) is skipped
