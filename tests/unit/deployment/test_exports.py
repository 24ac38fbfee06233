"""What an image exports, read without following its symlinks."""

import json
import os
import socket
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from os_containers.deployment.exports import (
    ExportedFile,
    ExportManifest,
    FileKind,
    load_exports,
    parse_manifest,
)
from os_containers.deployment.limits import DEFAULT_LIMITS, DeploymentLimits
from os_containers.errors import ImageError
from os_containers.trees import remove_tree


def test_an_image_without_exports_exports_nothing(tmp_path: Path) -> None:
    """No /exports is no error."""
    exports = load_exports(tmp_path)
    assert exports.manifest == ExportManifest()
    assert (exports.config, exports.config_template, exports.host_files) == (None, None, ())


def test_load_exports_reads_templates_and_lists_host_files(tmp_path: Path) -> None:
    """Directories come before what is in them; symlinks are data; setuid is told."""
    hostfs = tmp_path / "exports/hostfs"
    (hostfs / "etc").mkdir(parents=True)
    (hostfs / "etc/a.conf").write_text("a")
    (hostfs / "etc/a.conf").chmod(0o4755)
    (hostfs / "etc/b.conf").symlink_to("/etc/shadow")
    (tmp_path / "exports/service.template").write_text("[Service]")
    exports = load_exports(tmp_path)
    assert exports.service_template == b"[Service]"
    assert exports.host_files == (
        ExportedFile("/etc", FileKind.DIRECTORY, 0o755),
        ExportedFile("/etc/a.conf", FileKind.FILE, 0o4755),
        ExportedFile("/etc/b.conf", FileKind.SYMLINK, 0o777, "/etc/shadow"),
    )


def test_parse_manifest_reads_the_predecessors_keys() -> None:
    """Numbers are values too, and keys that we do not use are ignored."""
    manifest = parse_manifest(
        b'{"version": "1.0", "defaultValues": {"A": "x", "PORT": 80}, "renameFiles": {"/a": "/b"},'
        b' "noContainerService": true, "installedFilesTemplate": ["/a"], "useLinks": false}'
    )
    assert manifest.defaults() == {"A": "x", "PORT": "80"}
    assert manifest.rename_files == {"/a": "/b"}
    assert manifest.no_container_service
    assert manifest.installed_files_template == ("/a",)


def test_parse_manifest_takes_null_as_absent() -> None:
    """Go writes it for nil."""
    raw = b'{"version": null, "defaultValues": null, "renameFiles": null, "noContainerService": null}'
    assert parse_manifest(raw) == ExportManifest()


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "1:1"),
        (b"{", "1:2"),
        (b"[]", "1:1"),
        (b"null", "1:1"),
        (b'{"version": "1.0",\n "defaultValues": []}', "2:2"),
        (b'{"renameFiles": {\n"/a": 1}}', "1:2"),
        (b'{"defaultValues": {"A": true}}', "1:2"),
        (b'{"noContainerService": "yes"}', "1:2"),
        (b'{"installedFilesTemplate": ["/a", 1]}', "1:35"),
        (b'{"version": "1", "version": "2"}', "1:18"),
        (b'{"\xff": 1}', "1:3"),
        (b'{"x":' * 100_000, "1:501"),
    ],
)
def test_b58_parse_manifest_refuses_bad_json_and_types(raw: bytes, place: str) -> None:
    """A broken export manifest is never taken for an empty one; the place is told."""
    with pytest.raises(ImageError) as raised:
        parse_manifest(raw)
    assert raised.value.message.startswith(f"exports/manifest.json:{place}: ")


def test_b58_an_empty_manifest_is_not_a_missing_one(tmp_path: Path) -> None:
    """A file of no bytes is no JSON."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/manifest.json").touch()
    with pytest.raises(ImageError, match=r"manifest\.json:1:1: not valid JSON"):
        load_exports(tmp_path)


def test_b59_unknown_keys_are_found(tmp_path: Path) -> None:
    """Whoever wrote one may have meant another; useLinks is known, and does nothing."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/manifest.json").write_text('{"useLinks": true, "defaultvalues": {}, "\\u001b": 1}')
    assert load_exports(tmp_path).unknown_keys == ("\x1b", "defaultvalues")


@pytest.mark.parametrize("value", ["a\0b", "a\rb", "\x1b[31m", "\x7f", "\x0b", "\x9bm"])
def test_b53_a_default_is_text(value: str) -> None:
    """Lines and tabs are left to the template that they are for."""
    raw = json.dumps({"defaultValues": {"GOOD": "two\nlines\tand a tab", "A": value}}).encode()
    with pytest.raises(ImageError, match="value with a control character"):
        parse_manifest(raw)


def test_b53_defaults_have_limits() -> None:
    """The limit itself fits, one more does not."""
    limits = DeploymentLimits(value=4, values=2)

    def manifest(**values: str) -> bytes:
        return json.dumps({"defaultValues": values}).encode()

    assert parse_manifest(manifest(A="1234", B="éé"), limits=limits).defaults() == {"A": "1234", "B": "éé"}
    with pytest.raises(ImageError, match="a value of more than 4 bytes"):
        parse_manifest(manifest(A="ééé"), limits=limits)
    with pytest.raises(ImageError, match="more than 2 values"):
        parse_manifest(manifest(A="1", B="2", C="3"), limits=limits)
    assert (DEFAULT_LIMITS.value, DEFAULT_LIMITS.values) == (65536, 1000)


EXPORTED = [
    *("manifest.json", "config.json", "config.json.template", "service.template", "tmpfiles.template"),
]


def _device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: it never ends


@pytest.mark.parametrize("name", EXPORTED)
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/etc/shadow"),
        lambda path: path.symlink_to("nowhere"),
        os.mkfifo,
        _device,
        lambda path: path.mkdir(),
        lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    ],
    ids=["symlink", "dangling", "fifo", "device", "directory", "socket"],
)
def test_b60_cve_2024_9676_cve_2024_29069_load_exports_reads_plain_files_only(
    tmp_path: Path, name: str, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symlink would show us the host's file, a pipe or a device would never end."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    Path("exports").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a socket's name stays when it is closed
        make(Path("exports", name))
    with pytest.raises(ImageError, match="not a plain file"):
        load_exports(tmp_path)


@pytest.mark.parametrize("name", EXPORTED)
def test_b55_b60_load_exports_takes_a_mebibyte(tmp_path: Path, name: str) -> None:
    """One byte over the limit is too much, the limit itself is not; nothing more is read."""
    export = tmp_path / "exports" / name
    export.parent.mkdir()
    content = b"{}" + b" " * (DEFAULT_LIMITS.template - 2)
    export.write_bytes(content)
    load_exports(tmp_path)
    with export.open("ab") as file:
        file.truncate(1 << 40)
    with pytest.raises(ImageError, match="larger than 1048576 bytes"):
        load_exports(tmp_path)


def test_b60_host_files_are_counted(tmp_path: Path) -> None:
    """Directories and symlinks too; in one directory as in many."""
    hostfs = tmp_path / "exports/hostfs"
    (hostfs / "etc").mkdir(parents=True)
    (hostfs / "etc/a").touch()
    (hostfs / "etc/b").symlink_to("a")
    assert len(load_exports(tmp_path, limits=DeploymentLimits(host_files=3)).host_files) == 3
    with pytest.raises(ImageError, match="more than 2 files"):
        load_exports(tmp_path, limits=DeploymentLimits(host_files=2))
    assert DEFAULT_LIMITS.host_files == 10_000


def test_b60_depth_costs_no_stack(tmp_path: Path) -> None:
    """As deep as a path may be."""
    (tmp_path / "exports/hostfs").mkdir(parents=True)
    descriptor = os.open(tmp_path / "exports/hostfs", os.O_PATH)
    for _ in range(1500):
        os.mkdir("a", dir_fd=descriptor)
        inner = os.open("a", os.O_PATH, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    try:
        assert len(load_exports(tmp_path).host_files) == 1500
    finally:
        remove_tree(tmp_path / "exports")  # what removes a test's directory later is recursive


def test_b60_hostfs_is_a_directory(tmp_path: Path) -> None:
    """A file in its place is no empty directory."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/hostfs").touch()
    with pytest.raises(ImageError, match="hostfs is not a directory"):
        load_exports(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, _device], ids=["fifo", "device"])
def test_b60_host_files_are_files(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """What is neither file, directory nor symlink has no business on the host."""
    (tmp_path / "exports/hostfs").mkdir(parents=True)
    make(tmp_path / "exports/hostfs/x")
    with pytest.raises(ImageError, match="neither a file, a directory nor a symlink"):
        load_exports(tmp_path)


@pytest.mark.parametrize("link", ["exports", "exports/hostfs"])
def test_b71_load_exports_refuses_linked_directories(tmp_path: Path, link: str) -> None:
    """`exports -> /` or `hostfs -> /` would show us the host's files."""
    rootfs = tmp_path / "rootfs"
    (rootfs / link).parent.mkdir(parents=True)
    (rootfs / link).symlink_to(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ImageError):
        load_exports(rootfs)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_b73_load_exports_refuses_pipes_and_devices(tmp_path: Path, kind: str) -> None:
    """Whatever is allowed."""
    hostfs = tmp_path / "exports/hostfs/dev"
    hostfs.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(hostfs / "x")
    elif os.geteuid() == 0:
        os.mknod(hostfs / "x", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    else:
        pytest.skip("only root makes devices")
    with pytest.raises(ImageError, match="hostfs/dev/x is neither a file, a directory nor a symlink"):
        load_exports(tmp_path)


def test_b71_a_host_directory_that_is_linked_shows_nothing_of_the_host(tmp_path: Path) -> None:
    """A link in hostfs is a link, and not what it points to."""
    rootfs = tmp_path / "rootfs"
    (rootfs / "exports/hostfs").mkdir(parents=True)
    (rootfs / "exports/hostfs/etc").symlink_to("/etc")
    assert [file.path for file in load_exports(rootfs).host_files] == ["/etc"]
