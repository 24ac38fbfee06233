"""The layer rules; every tree is written as a mapping of paths, directories end in a slash."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_containers.ostree.merge import merge
from os_containers.ostree.tree import Directory

Paths = Mapping[str, str]


def tree(paths: Paths) -> Directory:
    root = Directory()
    for path, checksum in paths.items():
        *parents, name = path.split("/")
        directory = root
        for parent in parents:
            directory = directory.directories.setdefault(parent, Directory())
        if name:
            directory.files[name] = checksum
        else:
            directory.meta = checksum or None
    return root


def paths_of(root: Directory) -> dict[str, str]:
    found: dict[str, str] = {}
    pending = [("", root)]
    while pending:
        prefix, directory = pending.pop()
        if prefix:
            found[prefix] = directory.meta or ""
        found |= {prefix + name: checksum for name, checksum in directory.files.items()}
        pending += [(f"{prefix}{name}/", inner) for name, inner in directory.directories.items()]
    return found


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param([{"a": "1"}, {"b": "2"}], {"a": "1", "b": "2"}, id="both"),
        pytest.param([{"a": "1"}, {"a": "2"}], {"a": "2"}, id="last wins"),
        pytest.param([{"d/f": "1"}, {"d": "link"}], {"d": "link"}, id="B34 directory becomes symlink"),
        pytest.param(
            [{"d": "link"}, {"d/f": "1"}], {"d/": "", "d/f": "1"}, id="B24 symlink becomes directory"
        ),
        pytest.param([{"a": "1", "b": "1"}, {".wh.a": "w"}], {"b": "1"}, id="whiteout"),
        pytest.param([{"d/f": "1"}, {".wh.d": "w"}], {}, id="B32 whiteout of a directory"),
        pytest.param([{"a": "1"}, {".wh.b": "w"}], {"a": "1"}, id="B32 whiteout of nothing"),
        pytest.param([{"a": "1"}, {".wh.a": "w", "a": "2"}], {"a": "2"}, id="B29 whiteout beside its name"),
        pytest.param(
            [{"f": "1"}, {".wh.f": "w", "-f": "2", "+f": "2", " f": "2", "#f": "2"}],
            {"-f": "2", "+f": "2", " f": "2", "#f": "2"},
            id="B29 names that sort before",
        ),
        pytest.param(
            [{"d/a": "1", "d/e/b": "1"}, {"d/c": "2", "d/.wh..wh..opq": "w"}],
            {"d/": "", "d/c": "2"},
            id="B30 opaque",
        ),
        pytest.param([{"a": "1", "d/b": "1"}, {".wh..wh..opq": "w"}], {}, id="B30 opaque root"),
        pytest.param(
            [{"d/e/a": "1", "d/f": "1"}, {"d/e/.wh..wh..opq": "w"}],
            {"d/": "", "d/e/": "", "d/f": "1"},
            id="B30 nested opaque",
        ),
        pytest.param([{"d/": "m1"}, {"d/": "m2"}], {"d/": "m2"}, id="B35 attributes changed above"),
        pytest.param([{"d/": "m1"}, {"d/f": "1"}], {"d/": "m1", "d/f": "1"}, id="B35 implied parent"),
        pytest.param(
            [{"d/": "m1", "d/a": "1"}, {".wh.d": "w", "d/b": "2"}],
            {"d/": "", "d/b": "2"},
            id="removed and made again",
        ),
        pytest.param([{"a": "1"}, {".wh.a": "w"}, {"a": "3"}], {"a": "3"}, id="gone and back"),
        pytest.param([{"a": "1"}, {".wh.a": "w"}, {".wh.a": "w"}], {}, id="gone twice"),
    ],
)
def test_layers_make_the_tree_that_the_specification_says(layers: list[Paths], merged: Paths) -> None:
    assert paths_of(merge(map(tree, layers))) == merged


part = st.sampled_from(["a", "b", "-a"])
path = st.lists(part, min_size=1, max_size=3).map("/".join)
whiteout = st.tuples(st.lists(part, max_size=2), st.sampled_from([".wh.a", ".wh.b", ".wh..wh..opq"])).map(
    lambda found: "/".join((*found[0], found[1]))
)
metas = st.sampled_from(["m1", "m2"])


@st.composite
def layers(draw: st.DrawFn) -> dict[str, str]:
    """Make a layer whose paths do not contradict each other: no file is also a directory."""
    chosen = draw(st.lists(st.one_of(path, whiteout, path.map(lambda one: f"{one}/")), max_size=6))
    parents = {one[:end] for one in chosen for end, letter in enumerate(one) if letter == "/"}
    kept = [one for one in chosen if one not in parents]
    return {one: draw(metas) if one.endswith("/") else draw(st.sampled_from("123")) for one in kept}


def merge_naively(stack: list[dict[str, str]]) -> dict[str, str]:
    """Unpack one layer after the other as a person would: first what it hides, then what it brings."""
    merged: dict[str, str] = {}
    for layer in stack:
        for one in layer:
            parent, _, name = one.rpartition("/")
            prefix = f"{parent}/" if parent else ""
            if name == ".wh..wh..opq":
                merged = {
                    old: value for old, value in merged.items() if not old.startswith(prefix) or old == prefix
                }
            elif name.startswith(".wh."):
                hidden = prefix + name.removeprefix(".wh.")
                merged = {
                    old: v for old, v in merged.items() if old != hidden and not old.startswith(f"{hidden}/")
                }
        for one, value in layer.items():
            ancestors = [one[: end + 1] for end, letter in enumerate(one) if letter == "/"]
            for ancestor in ancestors:
                merged.pop(ancestor.removesuffix("/"), None)
                merged.setdefault(ancestor, "")
            if one.endswith("/"):
                merged[one] = value
            elif not one.rpartition("/")[2].startswith(".wh."):
                merged = {old: v for old, v in merged.items() if not old.startswith(f"{one}/")}
                merged[one] = value
    return merged


@given(st.lists(layers(), max_size=4))
def test_merge_agrees_with_unpacking_one_layer_after_the_other(stack: list[dict[str, str]]) -> None:
    assert paths_of(merge(map(tree, stack))) == merge_naively(stack)


def test_merge_leaves_the_layers_as_they_are() -> None:
    lower, upper = tree({"d/a": "1"}), tree({"d/b": "2", "d/": "m"})
    merge([lower, upper])
    assert paths_of(lower) == {"d/": "", "d/a": "1"}
    assert paths_of(upper) == {"d/": "m", "d/b": "2"}


def test_b46_depth_costs_no_stack() -> None:
    deep = tree({"/".join(["d"] * 2000): "1"})
    assert len(list(merge([deep, deep]).walk())) == 2000
