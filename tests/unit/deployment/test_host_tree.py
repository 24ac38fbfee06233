"""Host files as a deployment renders them."""

from pathlib import Path

import pytest

from os_containers.deployment.exports import load_exports
from os_containers.deployment.host_tree import load_host_tree, write_host_tree
from os_containers.errors import ImageError

VALUES = {"NAME": "etcd2", "CONF_DIRECTORY": "/etc", "PORT": "2379"}


def render(tmp_path: Path, files: dict[str, str], manifest: str = "{}") -> dict[str, str]:
    rootfs = tmp_path / "rootfs"
    for path, text in files.items():
        file = rootfs / "exports/hostfs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (rootfs / "exports/manifest.json").write_text(manifest)
    write_host_tree(load_exports(rootfs), rootfs, VALUES, tmp_path / "host")
    return {
        one.path: one.rendered.read_text() for one in load_host_tree(tmp_path / "host") if one.kind == "file"
    }


def test_only_listed_templates_are_rendered(tmp_path: Path) -> None:
    """A file that is not in installedFilesTemplate keeps its dollars."""
    rendered = render(
        tmp_path, {"etc/a": "port $PORT", "etc/b": "$PORT"}, '{"installedFilesTemplate": ["/etc/a"]}'
    )
    assert rendered == {"/etc/a": "port 2379", "/etc/b": "$PORT"}


def test_a_plain_file_costs_no_space(tmp_path: Path) -> None:
    """It is a hard link into the rootfs."""
    render(tmp_path, {"usr/bin/x": "x"})
    assert (tmp_path / "host/usr/bin/x").samefile(tmp_path / "rootfs/exports/hostfs/usr/bin/x")


def test_files_and_directories_are_renamed(tmp_path: Path) -> None:
    """The longest rename wins, and its variables are replaced: several containers of one image."""
    rendered = render(
        tmp_path,
        {"etc/etcd/etcd.conf": "a", "etc/etcd/tls/ca": "b", "usr/bin/etcdctl": "c"},
        '{"renameFiles": {"/etc/etcd": "$CONF_DIRECTORY/$NAME", "/usr/bin/etcdctl": "/usr/bin/${NAME}ctl"}}',
    )
    assert rendered == {"/etc/etcd2/etcd.conf": "a", "/etc/etcd2/tls/ca": "b", "/usr/bin/etcd2ctl": "c"}


@pytest.mark.parametrize("target", ["relative", "/../x", "/etc/../../x", "$MISSING/x"])
def test_b62_a_rename_to_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    """Relative, with '..', or with a variable that has no value."""
    with pytest.raises(ImageError):
        render(tmp_path, {"a": "x"}, f'{{"renameFiles": {{"/a": "{target}"}}}}')


def test_b62_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    """It would be chance which one wins."""
    with pytest.raises(ImageError, match="two files for /b"):
        render(tmp_path, {"a": "x", "b": "y"}, '{"renameFiles": {"/a": "/b"}}')


def test_an_image_without_host_files_has_no_tree(tmp_path: Path) -> None:
    """A directory that is not there is empty."""
    assert load_host_tree(tmp_path / "host") == []
