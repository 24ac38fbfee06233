"""What an image ships in /exports, read without ever following a symlink out of it.

exports/manifest.json            the export manifest: default values, renames, ...
exports/config.json[.template]   runtime configuration
exports/service.template         systemd unit
exports/tmpfiles.template        tmpfiles.d fragment
exports/hostfs/                  files for the host
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import msgspec

from os_containers.deployment.beneath import NotPlainFileError, open_beneath
from os_containers.deployment.json_text import path_of, read_json
from os_containers.deployment.limits import DEFAULT_LIMITS, DeploymentLimits
from os_containers.errors import AUTHOR, ImageError, LimitError
from os_containers.faults import system_fault

_MANIFEST = "exports/manifest.json"
# useLinks is the predecessors': hard links into the host would share their files with the repo
_KEYS = {
    *("version", "defaultValues", "renameFiles", "installedFilesTemplate", "noContainerService", "useLinks")
}
# lines are the image's own affair where a template has room for them; the rest is no text
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
    unknown_keys: tuple[str, ...] = ()


def load_exports(rootfs: Path, *, limits: DeploymentLimits = DEFAULT_LIMITS) -> Exports:
    """Return what the image in rootfs exports; an image without /exports exports nothing.

    Raises ImageError when a part is malformed, too large, or not a plain file.
    """

    def read(relative: str) -> bytes | None:
        return read_export(rootfs, relative, limit=limits.template)

    manifest = read(_MANIFEST)
    stated = b"{}" if manifest is None else manifest
    return Exports(
        manifest=parse_manifest(stated, limits=limits),
        config=read("exports/config.json"),
        config_template=read("exports/config.json.template"),
        service_template=read("exports/service.template"),
        tmpfiles_template=read("exports/tmpfiles.template"),
        host_files=tuple(_host_files(rootfs, limits.host_files)),
        unknown_keys=unknown_keys(stated, limits=limits),
    )


def unknown_keys(raw: bytes, *, limits: DeploymentLimits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """Return the keys of an export manifest that nobody knows."""
    return tuple(sorted(read_json(raw, source=_MANIFEST, depth=limits.json_depth).tree.keys() - _KEYS))


def parse_manifest(raw: bytes, *, limits: DeploymentLimits = DEFAULT_LIMITS) -> ExportManifest:
    """Return the export manifest; a null is as absent.

    Raises ImageError for bad JSON or types, and for values that are too many, too large or no text.
    """
    text = read_json(raw, source=_MANIFEST, depth=limits.json_depth)
    try:
        manifest = msgspec.convert(text.tree, ExportManifest)
    except msgspec.ValidationError as error:
        raise text.error(str(error), path_of(str(error))) from error
    defaults = manifest.defaults()
    if len(defaults) > limits.values:
        many = text.error(f"more than {limits.values} values", ("defaultValues",))
        raise LimitError(many.message, limit="values")
    for name, value in defaults.items():
        if len(value.encode()) > limits.value:
            large = text.error(f"a value of more than {limits.value} bytes", ("defaultValues", name))
            raise LimitError(large.message, limit="value")
        if _CONTROL.search(value):
            raise text.error("a value with a control character", ("defaultValues", name))
    return manifest


def read_export(rootfs: Path, relative: str, *, limit: int) -> bytes | None:
    """Return the content of a file of the image, None without one.

    Raises ImageError for a symlink on the way, for what is no plain file, and for more than limit bytes;
    SystemFaultError when the host fails us.
    """
    try:
        with os.fdopen(open_export(rootfs, relative), "rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise system_fault(error, rootfs / relative) from error
    if len(content) > limit:
        raise LimitError(f"{relative} is larger than {limit} bytes", limit="template")
    return content


def open_export(rootfs: Path, relative: str) -> int:
    """Return a descriptor of a file of the image. Raises OSError; ImageError for what is no plain file."""
    try:
        return open_beneath(rootfs, relative)
    except NotPlainFileError as error:
        raise ImageError(f"{relative} is not a plain file in the image", hint=AUTHOR) from error


def _host_files(rootfs: Path, limit: int) -> Iterator[ExportedFile]:
    hostfs = rootfs / "exports/hostfs"
    for directory in (hostfs.parent, hostfs):
        if directory.is_symlink():
            raise ImageError(f"{directory.relative_to(rootfs)} is a symlink in the image", hint=AUTHOR)
    if hostfs.exists() and not hostfs.is_dir():
        raise ImageError("exports/hostfs is not a directory in the image", hint=AUTHOR)
    for count, (path, status) in enumerate(_walk(hostfs, limit)):
        if count >= limit:
            raise LimitError(f"exports/hostfs has more than {limit} files", limit="host-files")
        yield _exported_file(path, status, "/" + str(path.relative_to(hostfs)))


def _walk(directory: Path, limit: int) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in a directory, each before what is in it; depth costs no stack."""
    pending = _entries(directory, limit) if directory.is_dir() else []
    while pending:
        path = pending.pop()
        status = path.lstat()
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            pending += _entries(path, limit)


def _entries(directory: Path, limit: int) -> list[Path]:
    # one more than there may be is enough to refuse them
    return sorted(islice(directory.iterdir(), limit + 1), reverse=True)


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
            raise ImageError(
                f"exports/hostfs{exported} is neither a file, a directory nor a symlink", hint=AUTHOR
            )
