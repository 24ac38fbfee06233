"""Host files as a deployment renders them."""

import json
import os
import struct
from pathlib import Path

import pytest

from os_containers.deployment.exports import load_exports
from os_containers.deployment.host_tree import CAPABILITIES, load_host_tree, write_host_tree
from os_containers.deployment.limits import DEFAULT_LIMITS
from os_containers.errors import ImageError, UsageError

VALUES = {"NAME": "etcd2", "CONF_DIRECTORY": "/etc", "PORT": "2379", "UP": "/../x"}


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


@pytest.mark.parametrize(
    "target",
    [
        "relative",
        "",
        "/../x",
        "/etc/../../x",
        "/a/..",
        "/x$",
        "/x\\u0000",
        "/x\\n",
        "/x\\u009b",
        "/x$UP",
    ],
)
def test_b62_a_rename_to_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    """Relative, with '..' (of a value too), with a control character."""
    with pytest.raises(ImageError, match=r"exports/manifest\.json"):
        render(tmp_path, {"a": "x"}, f'{{"renameFiles": {{"/a": "{target}"}}}}')
    assert not (tmp_path / "host").exists()


def test_b62_a_rename_with_a_variable_without_a_value_is_refused(tmp_path: Path) -> None:
    """That is for who installs it to give."""
    with pytest.raises(UsageError, match=r"MISSING \(exports/manifest\.json:1\)"):
        render(tmp_path, {"a": "x"}, '{"renameFiles": {"/a": "$MISSING/x"}}')
    assert not (tmp_path / "host").exists()


@pytest.mark.parametrize(
    "renames",
    [{"/a": "/b"}, {"/a": "/$NAME", "/b": "/etcd2"}, {"/a": "/x/../x"}, {"/a": "/b/c"}, {"/d/c": "/b/c/d"}],
)
def test_b62_two_files_for_one_place_are_refused(tmp_path: Path, renames: dict[str, str]) -> None:
    """It would be chance which one wins; nor can one lie beneath the other."""
    with pytest.raises(ImageError):
        render(tmp_path, {"a": "x", "b": "y", "d/c": "z"}, json.dumps({"renameFiles": renames}))


@pytest.mark.parametrize("templated", [True, False])
def test_b62_cve_2025_9566_a_rename_leads_through_no_symlink_of_the_image(
    tmp_path: Path,
    templated: bool,  # noqa: FBT001
) -> None:
    """It would write to wherever the symlink points, while the deployment is only being built."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "passwd").write_text("root:x:0")
    (tmp_path / "rootfs/exports/hostfs").mkdir(parents=True)
    (tmp_path / "rootfs/exports/hostfs/a").symlink_to(victim)
    manifest = {
        "renameFiles": {"/evil": "/a/passwd"},
        "installedFilesTemplate": ["/evil"] if templated else [],
    }
    with pytest.raises(ImageError, match="/a/passwd below /a, which is a symlink"):
        render(tmp_path, {"evil": "evil"}, json.dumps(manifest))
    assert [path.name for path in victim.iterdir()] == ["passwd"]
    assert (victim / "passwd").read_text() == "root:x:0"


def test_b62_directories_may_share_a_place(tmp_path: Path) -> None:
    """Two of them renamed to one, with other files."""
    rendered = render(tmp_path, {"a/x": "1", "b/y": "2"}, '{"renameFiles": {"/a": "/c", "/b": "/c"}}')
    assert rendered == {"/c/x": "1", "/c/y": "2"}


def test_b55_a_host_file_that_is_a_template_has_a_limit(tmp_path: Path) -> None:
    """One that is none may be of any size."""
    big = "x" * (DEFAULT_LIMITS.template + 1)
    with pytest.raises(ImageError, match="exports/hostfs/a is larger than 1048576 bytes"):
        render(tmp_path, {"a": big}, '{"installedFilesTemplate": ["/a"]}')
    assert render(tmp_path / "plain", {"a": big}, "{}") == {"/a": big}


def test_an_image_without_host_files_has_no_tree(tmp_path: Path) -> None:
    """A directory that is not there is empty."""
    assert load_host_tree(tmp_path / "host") == []


def test_b72_a_file_is_never_put_behind_a_symlink_of_the_image(tmp_path: Path) -> None:
    """A rename would lead through it to the host, while we still render."""
    victim = tmp_path / "victim"
    victim.mkdir()
    hostfs = tmp_path / "rootfs/exports/hostfs"
    hostfs.mkdir(parents=True)
    (hostfs / "link").symlink_to(victim)
    with pytest.raises(ImageError, match="below /link, which is a symlink"):
        render(
            tmp_path,
            {"a": "x"},
            '{"renameFiles": {"/a": "/link/deep/a"}, "installedFilesTemplate": ["/a"]}',
        )
    assert list(victim.iterdir()) == []


def test_b62_a_directory_and_a_file_for_one_place_are_refused(tmp_path: Path) -> None:
    """Whichever comes first."""
    for number, renames in enumerate(('{"/a": "/d"}', '{"/z": "/d"}')):
        with pytest.raises(ImageError, match="a directory and a file for /d"):
            render(
                tmp_path / str(number),
                {"a": "x", "z": "x", "d/e": "y"},
                f'{{"renameFiles": {renames}}}',
            )


def test_b62_nothing_but_a_directory_is_the_root(tmp_path: Path) -> None:
    """A file there would be nowhere."""
    with pytest.raises(ImageError, match="renames the file /a to /"):
        render(tmp_path, {"a": "x"}, '{"renameFiles": {"/a": "/"}}')


@pytest.mark.parametrize("name", [".os-containers-other@0123", "etc/.os-containers-x/a"])
def test_i5_names_that_recovery_removes_are_not_for_images(tmp_path: Path, name: str) -> None:
    """One could pass for an old version of another container's file."""
    with pytest.raises(ImageError, match="reserved for os-containers"):
        render(tmp_path, {name: "x"})


def test_b73_setuid_is_told_and_what_others_may_write_to_is_not(tmp_path: Path) -> None:
    """The policy decides about the one; the other is never let through."""
    rootfs = tmp_path / "rootfs"
    program = rootfs / "exports/hostfs/usr/bin/x"
    program.parent.mkdir(parents=True)
    program.write_text("x")
    program.chmod(0o4777)
    program.parent.chmod(0o1777)
    write_host_tree(load_exports(rootfs), rootfs, VALUES, tmp_path / "host")
    modes = {file.path: oct(file.mode) for file in load_host_tree(tmp_path / "host")}
    assert modes == {"/usr": "0o755", "/usr/bin": "0o755", "/usr/bin/x": "0o4755"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give capabilities")
def test_b73_capabilities_are_told(tmp_path: Path) -> None:
    """As the kernel keeps them."""
    rootfs = tmp_path / "rootfs"
    program = rootfs / "exports/hostfs/ping"
    program.parent.mkdir(parents=True)
    program.write_text("x")
    # struct vfs_cap_data of version 2: cap_net_raw, effective
    capabilities = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(program, CAPABILITIES, capabilities)
    write_host_tree(load_exports(rootfs), rootfs, VALUES, tmp_path / "host")
    (ping,) = load_host_tree(tmp_path / "host")
    assert ping.capabilities == capabilities
