"""The host files of a deployment as they were rendered: its host/ directory mirrors the host's root.

A file that is no template is a hard link into the rootfs, so it costs nothing; it is only ever read, and
what reaches the host is a copy.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from os_containers.deployment.exports import ExportedFile, ExportManifest, Exports, FileKind
from os_containers.deployment.template import render
from os_containers.errors import ImageError
from os_containers.files import make_directory


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file for the host; rendered is where its content is, checksum as in InstalledFile."""

    path: str
    kind: FileKind
    mode: int
    checksum: str
    rendered: Path


def write_host_tree(exports: Exports, rootfs: Path, values: Mapping[str, str], tree: Path) -> None:
    """Render what an image exports for the host into a new directory.

    Raises ImageError for a rename to nowhere, or of two files to one place.
    """
    tree.mkdir()
    seen: dict[str, str] = {}
    for file in exports.host_files:
        destination = _destination(file.path, exports.manifest, values)
        first = seen.setdefault(destination, file.path)
        if first != file.path and file.kind is not FileKind.DIRECTORY:
            raise ImageError(f"exports/hostfs has two files for {destination}: {first} and {file.path}")
        _write(file, exports.manifest, rootfs, values, tree / destination.lstrip("/"))


def load_host_tree(tree: Path) -> list[HostFile]:
    """Return the host files of a deployment, directories before what is in them."""
    return list(_walk(tree, PurePosixPath("/"))) if tree.is_dir() else []


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


def _destination(path: str, manifest: ExportManifest, values: Mapping[str, str]) -> str:
    renamed = _rename(path, manifest.rename_files)
    if renamed == path:
        return path
    text = render(renamed.encode(), values, source="exports/manifest.json").decode()
    destination = PurePosixPath(text)
    if not destination.is_absolute() or ".." in destination.parts or "\0" in text:
        raise ImageError(
            f"exports/manifest.json renames {path} to {text!r}",
            hint="a rename needs an absolute path without '..'",
        )
    return "/" + str(destination).lstrip("/")


def _rename(path: str, renames: Mapping[str, str]) -> str:
    """Return the new path, by the longest rename of the file itself or of a directory above it."""
    for prefix in (PurePosixPath(path), *PurePosixPath(path).parents):
        new = renames.get(str(prefix))
        if new is not None:
            return new + path[len(str(prefix)) :]
    return path


def _write(
    file: ExportedFile, manifest: ExportManifest, rootfs: Path, values: Mapping[str, str], rendered: Path
) -> None:
    make_directory(rendered.parent)
    source = rootfs / "exports/hostfs" / file.path.lstrip("/")
    match file.kind:
        case FileKind.DIRECTORY:
            rendered.mkdir(exist_ok=True)
            rendered.chmod(file.mode)
        case FileKind.SYMLINK:
            rendered.symlink_to(file.target)
        case FileKind.FILE if file.path in manifest.installed_files_template:
            rendered.write_bytes(render(source.read_bytes(), values, source=f"exports/hostfs{file.path}"))
            rendered.chmod(file.mode)
        case FileKind.FILE:
            os.link(source, rendered)


def _walk(directory: Path, path: PurePosixPath) -> Iterator[HostFile]:
    for rendered in sorted(directory.iterdir()):
        mode = rendered.lstat().st_mode & 0o777
        kind = _kind(rendered)
        inner = path / rendered.name
        yield HostFile(str(inner), kind, mode, checksum(kind, rendered), rendered)
        if kind is FileKind.DIRECTORY:
            yield from _walk(rendered, inner)


def _kind(path: Path) -> FileKind:
    if path.is_symlink():
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if path.is_dir() else FileKind.FILE
