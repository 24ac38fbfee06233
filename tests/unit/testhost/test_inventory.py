"""What proves that nothing was left behind must itself miss nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from testhost.inventory import differences, list_files


def retarget(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda tree: (tree / "etc/new").mkdir(), "added /etc/new"),
        (lambda tree: (tree / "etc/file").unlink(), "removed /etc/file"),
        (lambda tree: (tree / "etc/file").write_text("b"), "changed /etc/file"),
        (lambda tree: (tree / "etc/file").chmod(0o600), "changed /etc/file"),
        (retarget, "changed /link"),
    ],
)
def test_each_change_is_told(tmp_path: Path, change: Callable[[Path], None], line: str) -> None:
    """Of names, of content with the same size, of modes, of symlinks."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("a")
    (tmp_path / "etc/file").chmod(0o644)
    (tmp_path / "link").symlink_to("somewhere")
    before = list_files(tmp_path)
    assert differences(before, list_files(tmp_path)) == []
    change(tmp_path)
    assert differences(before, list_files(tmp_path)) == [line]


def test_what_a_running_machine_changes_by_itself_is_not_listed(tmp_path: Path) -> None:
    """Only these directories: their neighbours are listed."""
    for directory in ("run/systemd/units", "run/hello", "var/log/journal", "var/lib/etcd"):
        (tmp_path / directory).mkdir(parents=True)
    assert sorted(list_files(tmp_path)) == ["/run", "/run/hello", "/var", "/var/lib", "/var/lib/etcd"]


def test_the_directory_of_a_runtime_is_listed_as_long_as_a_container_is_in_it(tmp_path: Path) -> None:
    """An empty one says nothing: asking a runtime for its containers makes it."""
    for directory in ("run/crun/hello", "run/user/1000/runc"):
        (tmp_path / directory).mkdir(parents=True)
    found = sorted(list_files(tmp_path))
    assert found == ["/run", "/run/crun", "/run/crun/hello", "/run/user", "/run/user/1000"]
