"""What an image ships in /exports, read without ever following a symlink out of it.

exports/manifest.json            the export manifest: default values, renames, ...
exports/config.json[.template]   runtime configuration
exports/service.template         systemd unit
exports/tmpfiles.template        tmpfiles.d fragment
exports/hostfs/                  files for the host
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from os_containers.errors import ImageError
from os_containers.files import open_beneath

TEMPLATE_SIZE_LIMIT = 1 << 20
HOST_FILES_LIMIT = 10_000


class ExportManifest(msgspec.Struct, frozen=True, rename="camel"):
    """The export manifest, exports/manifest.json."""

    version: str | float | None = None
    default_values: dict[str, str | int] = {}
    rename_files: dict[str, str] = {}
    installed_files_template: tuple[str, ...] = ()
    no_container_service: bool = False

    def defaults(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.default_values.items()}


class FileKind(StrEnum):
    """The kinds of files that an image may put on the host."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file under exports/hostfs; path is what follows, with a leading slash."""

    path: str
    kind: FileKind
    mode: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class Exports:
    """Everything that an image exports."""

    manifest: ExportManifest
    config: bytes | None
    config_template: bytes | None
    service_template: bytes | None
    tmpfiles_template: bytes | None
    host_files: tuple[ExportedFile, ...]


def load_exports(rootfs: Path) -> Exports:
    """Return what the image in rootfs exports; an image without /exports exports nothing.

    Raises ImageError when a part is malformed, too large, or not a plain file.
    """
    return Exports(
        manifest=parse_manifest(_read(rootfs, "exports/manifest.json") or b"{}"),
        config=_read(rootfs, "exports/config.json"),
        config_template=_read(rootfs, "exports/config.json.template"),
        service_template=_read(rootfs, "exports/service.template"),
        tmpfiles_template=_read(rootfs, "exports/tmpfiles.template"),
        host_files=tuple(_host_files(rootfs)),
    )


def parse_manifest(raw: bytes) -> ExportManifest:
    """Return the export manifest; a null is as absent. Raises ImageError for bad JSON or types."""
    try:
        tree = msgspec.json.decode(raw, type=dict[str, object])
        stated = {key: value for key, value in tree.items() if value is not None}
        return msgspec.convert(stated, ExportManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImageError(
            f"exports/manifest.json: {error}", hint="the image must be mended by its author"
        ) from error


def _read(rootfs: Path, relative: str) -> bytes | None:
    try:
        descriptor = open_beneath(rootfs, relative)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(
            f"{relative} is not a plain file in the image", hint="the image must be mended by its author"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(TEMPLATE_SIZE_LIMIT + 1)
    if len(content) > TEMPLATE_SIZE_LIMIT:
        raise ImageError(f"{relative} is larger than {TEMPLATE_SIZE_LIMIT} bytes")
    return content


def _host_files(rootfs: Path) -> Iterator[ExportedFile]:
    hostfs = rootfs / "exports/hostfs"
    for directory in (hostfs.parent, hostfs):
        if directory.is_symlink():
            raise ImageError(f"{directory.relative_to(rootfs)} is a symlink in the image")
    for count, (path, status) in enumerate(_walk(hostfs)):
        if count >= HOST_FILES_LIMIT:
            raise ImageError(f"exports/hostfs has more than {HOST_FILES_LIMIT} files")
        yield _exported_file(path, status, "/" + str(path.relative_to(hostfs)))


def _walk(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        status = path.lstat()
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(path)


def _exported_file(path: Path, status: os.stat_result, exported: str) -> ExportedFile:
    mode = stat.S_IMODE(status.st_mode)
    match stat.S_IFMT(status.st_mode):
        case stat.S_IFREG:
            return ExportedFile(exported, FileKind.FILE, mode)
        case stat.S_IFDIR:
            return ExportedFile(exported, FileKind.DIRECTORY, mode & 0o777)
        case stat.S_IFLNK:
            return ExportedFile(exported, FileKind.SYMLINK, 0o777, target=str(path.readlink()))
        case _:
            raise ImageError(f"exports/hostfs{exported} is neither file, directory nor symlink")
