"""What an image exports, read without following its symlinks."""

import os
import stat
from pathlib import Path

import pytest

from os_containers.deployment.exports import (
    ExportedFile,
    ExportManifest,
    FileKind,
    load_exports,
    parse_manifest,
)
from os_containers.deployment.limits import DEFAULT_LIMITS
from os_containers.errors import ImageError


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
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"defaultValues": []}',
        b'{"renameFiles": {"/a": 1}}',
        b'{"\xff": 1}',
        b'{"x":' * 100_000,
    ],
)
def test_b58_parse_manifest_refuses_bad_json_and_types(raw: bytes) -> None:
    """A broken export manifest is never taken for an empty one."""
    with pytest.raises(ImageError, match=r"exports/manifest\.json"):
        parse_manifest(raw)


@pytest.mark.parametrize("name", ["manifest.json", "config.json.template", "service.template"])
def test_b60_load_exports_refuses_what_is_no_plain_file(tmp_path: Path, name: str) -> None:
    """A symlink, a pipe or a directory in place of an export is refused (CVE-2024-9676, CVE-2024-29069)."""
    secret = tmp_path / "secret"
    secret.write_text("{}")
    for number, make in enumerate((lambda p: p.symlink_to(secret), os.mkfifo, lambda p: p.mkdir())):
        rootfs = tmp_path / str(number)
        (rootfs / "exports").mkdir(parents=True)
        make(rootfs / "exports" / name)
        with pytest.raises(ImageError, match="not a plain file"):
            load_exports(rootfs)


def test_b60_load_exports_refuses_a_template_over_the_limit(tmp_path: Path) -> None:
    """One byte over the limit is too much, the limit itself is not."""
    (tmp_path / "exports").mkdir()
    template = tmp_path / "exports/service.template"
    template.write_bytes(b"x" * DEFAULT_LIMITS.template)
    assert load_exports(tmp_path).service_template == b"x" * DEFAULT_LIMITS.template
    template.write_bytes(b"x" * (DEFAULT_LIMITS.template + 1))
    with pytest.raises(ImageError, match="larger than"):
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
    with pytest.raises(ImageError, match="hostfs/dev/x is neither file, directory nor symlink"):
        load_exports(tmp_path)


def test_b71_a_host_directory_that_is_linked_shows_nothing_of_the_host(tmp_path: Path) -> None:
    """A link in hostfs is a link, and not what it points to."""
    rootfs = tmp_path / "rootfs"
    (rootfs / "exports/hostfs").mkdir(parents=True)
    (rootfs / "exports/hostfs/etc").symlink_to("/etc")
    assert [file.path for file in load_exports(rootfs).host_files] == ["/etc"]
