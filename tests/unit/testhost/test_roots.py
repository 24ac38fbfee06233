"""The cache of what takes long to make."""

from pathlib import Path

import pytest

from testhost.roots import cached_tree, key_of


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CONTAINERS_CACHE", str(tmp_path / "cache"))


def test_a_tree_is_made_once(tmp_path: Path) -> None:
    """The second call finds it."""
    cached_tree(tmp_path, "tree", Path.mkdir)
    assert cached_tree(tmp_path, "tree", lambda _: pytest.fail("made again")) == tmp_path / "tree"


def test_an_interrupted_tree_is_made_again(tmp_path: Path) -> None:
    """From nothing: what the interrupted one left is removed."""

    def interrupted(tree: Path) -> None:
        tree.mkdir()
        (tree / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_tree(tmp_path, "tree", interrupted)
    assert not (tmp_path / "tree").exists()
    cached_tree(tmp_path, "tree", Path.mkdir)
    assert list((tmp_path / "tree").iterdir()) == []


def test_a_key_stands_for_its_parts() -> None:
    """In their order, and not only for their text one after the other."""
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of("a", "b", "")}) == 4
