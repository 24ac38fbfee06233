"""The host files of a deployment as they were rendered: its host/ directory mirrors the host's root.

A file that is no template is a hard link into the rootfs, so it costs nothing; it is only ever read, and
what reaches the host is a copy.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from os_containers.deployment.exports import (
    ExportedFile,
    ExportManifest,
    Exports,
    FileKind,
    open_export,
    read_export,
)
from os_containers.deployment.limits import DEFAULT_LIMITS, DeploymentLimits
from os_containers.deployment.template import render
from os_containers.errors import ImageError
from os_containers.files import TEMPORARY_PREFIX, make_directory

# as umask 022 has it: what an image gives to everybody to write to is no gift to the host
_FILE_MODE = 0o6755
_DIRECTORY_MODE = 0o755
CAPABILITIES = "security.capability"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Content(StrEnum):
    """How a host file that is no template has its content: what may change behind us is copied."""

    LINKED = "linked"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file for the host; rendered is where its content is, checksum as in InstalledFile.

    capabilities are those that a program gets when it is run, as capabilities(7) keeps them with the file.
    The owner is root, unless the admin gave the file that is there to another. label is what SELinux has for
    its place on the host.
    """

    path: str
    kind: FileKind
    mode: int
    checksum: str
    rendered: Path
    capabilities: bytes = b""
    uid: int = 0
    gid: int = 0
    label: bytes | None = None


def write_host_tree(
    exports: Exports,
    rootfs: Path,
    values: Mapping[str, str],
    tree: Path,
    *,
    content: Content = Content.LINKED,
    limits: DeploymentLimits = DEFAULT_LIMITS,
) -> None:
    """Render what an image exports for the host into a new directory.

    Raises ImageError for a rename to nowhere, or of two files to one place.
    """
    # before anything is written: a symlink among them must not lead the next one out of the tree
    places = destinations(exports, values, limits)
    tree.mkdir()
    for destination, file in places.items():
        rendered = tree / destination.lstrip("/")
        make_directory(rendered.parent)
        if is_template(exports.manifest, file, destination):
            rendered.write_bytes(_rendered(rootfs, file, values, limits))
            rendered.chmod(file.mode)
        else:
            _write(file, rootfs, rendered, content)


def load_host_tree(tree: Path) -> list[HostFile]:
    """Return the host files of a deployment, directories before what is in them."""
    return list(_walk(tree)) if tree.is_dir() else []


def checksum(kind: FileKind, path: Path) -> str:
    """Return the SHA-256 of a file's bytes or of a symlink's target; nothing for a directory."""
    match kind:
        case FileKind.FILE:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        case FileKind.SYMLINK:
            return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        case FileKind.DIRECTORY:
            return ""


def destinations(
    exports: Exports, values: Mapping[str, str], limits: DeploymentLimits
) -> dict[str, ExportedFile]:
    """Return which file goes where. Raises ImageError for two that go to one place, or one behind another."""
    places: dict[str, ExportedFile] = {}
    for file in exports.host_files:
        destination = _destination(file.path, exports.manifest, values, limits)
        _check_names(destination, file)
        first = places.setdefault(destination, file)
        if FileKind.DIRECTORY not in {first.kind, file.kind} and first is not file:
            raise ImageError(f"exports/hostfs has two files for {destination}: {first.path} and {file.path}")
        if first.kind is not file.kind:
            raise ImageError(f"exports/hostfs has a directory and a file for {destination}")
    for destination in places:
        for above in PurePosixPath(destination).parents:
            # a rename may lead through a symlink of the same image, and that through the host
            if (way := places.get(str(above))) and way.kind is not FileKind.DIRECTORY:
                raise ImageError(f"exports/hostfs puts {destination} below {above}, which is a {way.kind}")
    return places


def is_template(manifest: ExportManifest, file: ExportedFile, destination: str) -> bool:
    """Tell whether a host file is one; the Go tool knew it by its path in the image, atomic by the host's."""
    listed = manifest.installed_files_template
    return file.kind is FileKind.FILE and (file.path in listed or destination in listed)


def _check_names(destination: str, file: ExportedFile) -> None:
    if destination == "/" and file.kind is not FileKind.DIRECTORY:
        raise ImageError(f"exports/manifest.json renames the {file.kind} {file.path} to /")
    if any(part.startswith(TEMPORARY_PREFIX) for part in PurePosixPath(destination).parts):
        raise ImageError(f"exports/hostfs has a name that is reserved for os-containers: {destination}")


def _destination(
    path: str, manifest: ExportManifest, values: Mapping[str, str], limits: DeploymentLimits
) -> str:
    new = renamed(path, manifest.rename_files)
    if new == path:
        return path
    text = render(new.encode(), values, source="exports/manifest.json", limit=limits.template).decode()
    destination = PurePosixPath(text)
    if not destination.is_absolute() or ".." in destination.parts or _CONTROL.search(text):
        raise ImageError(
            f"exports/manifest.json renames {path} to {text!a}",
            hint="a rename needs an absolute path without '..' or control characters",
        )
    return "/" + str(destination).lstrip("/")


def renamed(path: str, renames: Mapping[str, str]) -> str:
    """Return the new path, by the longest rename of the file itself or of a directory above it."""
    for prefix in (PurePosixPath(path), *PurePosixPath(path).parents):
        new = renames.get(str(prefix))
        if new is not None:
            return new + path[len(str(prefix)) :]
    return path


def _rendered(rootfs: Path, file: ExportedFile, values: Mapping[str, str], limits: DeploymentLimits) -> bytes:
    source = f"exports/hostfs{file.path}"
    text = read_export(rootfs, source, limit=limits.template)
    return render(text or b"", values, source=source, limit=limits.rendered)


def _write(file: ExportedFile, rootfs: Path, rendered: Path, content: Content) -> None:
    match file.kind:
        case FileKind.DIRECTORY:
            rendered.mkdir(exist_ok=True)
            rendered.chmod(file.mode)
        case FileKind.SYMLINK:
            rendered.symlink_to(file.target)
        case FileKind.FILE if content is Content.COPIED:
            _copy(file, rootfs, rendered)
        case FileKind.FILE:
            os.link(rootfs / "exports/hostfs" / file.path.lstrip("/"), rendered)


def _copy(file: ExportedFile, rootfs: Path, rendered: Path) -> None:
    source = open_export(rootfs, f"exports/hostfs{file.path}")
    with os.fdopen(source, "rb") as original, rendered.open("xb") as copy:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fchmod(copy.fileno(), file.mode)
        capabilities = _capabilities(FileKind.FILE, source)
        if capabilities:
            os.setxattr(copy.fileno(), CAPABILITIES, capabilities)


def _walk(tree: Path) -> Iterator[HostFile]:
    """Yield what is in a tree, each before what is in it; depth costs no stack."""
    pending = sorted(tree.iterdir(), reverse=True)
    while pending:
        rendered = pending.pop()
        kind = _kind(rendered)
        yield HostFile(
            f"/{rendered.relative_to(tree)}",
            kind,
            _mode(kind, rendered),
            checksum(kind, rendered),
            rendered,
            _capabilities(kind, rendered),
        )
        if kind is FileKind.DIRECTORY:
            pending += sorted(rendered.iterdir(), reverse=True)


def _mode(kind: FileKind, path: Path) -> int:
    mode = stat.S_IMODE(path.lstat().st_mode)
    match kind:
        case FileKind.FILE:
            return mode & _FILE_MODE
        case FileKind.DIRECTORY:
            return mode & _DIRECTORY_MODE
        case FileKind.SYMLINK:
            return mode


def _capabilities(kind: FileKind, path: Path | int) -> bytes:
    if kind is not FileKind.FILE:
        return b""
    try:
        return os.getxattr(path, CAPABILITIES, follow_symlinks=isinstance(path, int))
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return b""
        raise


def _kind(path: Path) -> FileKind:
    if path.is_symlink():
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if path.is_dir() else FileKind.FILE
