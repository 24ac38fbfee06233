"""The host files of a deployment as they were rendered: its host/ directory mirrors the host's root.

A file that is no template is a hard link into the rootfs, so it costs nothing; it is only ever read, and
what reaches the host is a copy.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from os_containers.deployment.exports import (
    ExportedFile,
    ExportManifest,
    Exports,
    FileKind,
    read_export,
)
from os_containers.deployment.json_text import AUTHOR
from os_containers.deployment.limits import DEFAULT_LIMITS, DeploymentLimits
from os_containers.deployment.template import render
from os_containers.errors import ImageError
from os_containers.files import make_directory

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file for the host; rendered is where its content is, checksum as in InstalledFile."""

    path: str
    kind: FileKind
    mode: int
    checksum: str
    rendered: Path


def write_host_tree(
    exports: Exports,
    rootfs: Path,
    values: Mapping[str, str],
    tree: Path,
    *,
    limits: DeploymentLimits = DEFAULT_LIMITS,
) -> None:
    """Render what an image exports for the host into a new directory.

    Raises ImageError for a rename to nowhere, or of two files to one place.
    """
    # before anything is written: a symlink among them must not lead the next one out of the tree
    destinations = _destinations(exports, values, limits)
    tree.mkdir()
    for destination, file in destinations:
        rendered = tree / destination.lstrip("/")
        make_directory(rendered.parent)
        if file.path in exports.manifest.installed_files_template and file.kind is FileKind.FILE:
            rendered.write_bytes(_rendered(rootfs, file, values, limits))
            rendered.chmod(file.mode)
        else:
            _write(file, rootfs, rendered)


def _destinations(
    exports: Exports, values: Mapping[str, str], limits: DeploymentLimits
) -> list[tuple[str, ExportedFile]]:
    """Return where each file goes; only directories may share a place, or have others beneath them."""
    placed = [
        (_destination(file.path, exports.manifest, values, limits), file) for file in exports.host_files
    ]
    taken: dict[str, ExportedFile] = {}
    for destination, file in placed:
        first = taken.setdefault(destination, file)
        if first is not file and FileKind.DIRECTORY not in (first.kind, file.kind):
            raise ImageError(
                f"exports/hostfs has two files for {destination}: {first.path} and {file.path}", hint=AUTHOR
            )
        if first.kind is not file.kind:
            raise _in_the_way(first, file)
    for destination, file in placed:
        for above in PurePosixPath(destination).parents:
            upper = taken.get(str(above))
            if upper and upper.kind is not FileKind.DIRECTORY:
                raise _in_the_way(upper, file)
    return placed


def _in_the_way(one: ExportedFile, other: ExportedFile) -> ImageError:
    return ImageError(
        f"exports/hostfs has {one.path}, a {one.kind}, where {other.path} shall be", hint=AUTHOR
    )


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


def _destination(
    path: str, manifest: ExportManifest, values: Mapping[str, str], limits: DeploymentLimits
) -> str:
    renamed = _rename(path, manifest.rename_files)
    if renamed == path:
        return path
    text = render(renamed.encode(), values, source="exports/manifest.json", limit=limits.template).decode()
    destination = PurePosixPath(text)
    if not destination.is_absolute() or ".." in destination.parts or _CONTROL.search(text):
        raise ImageError(
            f"exports/manifest.json renames {path} to {text!a}",
            hint="a rename needs an absolute path without '..' and control characters",
        )
    return "/" + str(destination).lstrip("/")


def _rename(path: str, renames: Mapping[str, str]) -> str:
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


def _write(file: ExportedFile, rootfs: Path, rendered: Path) -> None:
    match file.kind:
        case FileKind.DIRECTORY:
            rendered.mkdir(exist_ok=True)
            rendered.chmod(file.mode)
        case FileKind.SYMLINK:
            rendered.symlink_to(file.target)
        case FileKind.FILE:
            os.link(rootfs / "exports/hostfs" / file.path.lstrip("/"), rendered)


def _walk(tree: Path) -> Iterator[HostFile]:
    """Yield what is in a tree, each before what is in it; depth costs no stack."""
    pending = sorted(tree.iterdir(), reverse=True)
    while pending:
        rendered = pending.pop()
        kind = _kind(rendered)
        path = f"/{rendered.relative_to(tree)}"
        yield HostFile(path, kind, rendered.lstat().st_mode & 0o777, checksum(kind, rendered), rendered)
        if kind is FileKind.DIRECTORY:
            pending += sorted(rendered.iterdir(), reverse=True)


def _kind(path: Path) -> FileKind:
    if path.is_symlink():
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if path.is_dir() else FileKind.FILE
