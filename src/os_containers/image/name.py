"""The name under which we keep an image: its name in a registry, or the one inside an archive or a directory.

oci:DIRECTORY[:NAME]          index.json, annotation org.opencontainers.image.ref.name
oci-archive:FILE[:NAME]       the same, in a tar
docker-archive:FILE[:NAME]    manifest.json in a tar, RepoTags
dir:DIRECTORY                 has none: localhost/DIRECTORY
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from os_containers.errors import ImageError, NotFoundError, UsageError
from os_containers.faults import is_exhaustion
from os_containers.image import strict_json
from os_containers.image.compression import PlainStream
from os_containers.image.limits import DEFAULT_LIMITS
from os_containers.image.reference import DEFAULT_TAG, ImageReference, normalize_name
from os_containers.image.tar import TarReader

_Type = TypeVar("_Type")

_MAKE_ARCHIVE = "give an uncompressed archive, made by skopeo copy or podman save"
_MAKE_LAYOUT = "skopeo copy IMAGE oci:DIRECTORY:TAG makes one; if it has a manifest.json, use dir:DIRECTORY"
_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class _Described(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Index(msgspec.Struct):
    manifests: tuple[_Described, ...]


class _Archived(msgspec.Struct, rename="pascal"):
    repo_tags: tuple[str, ...] | None = None


def is_local(name: str) -> bool:
    """Tell whether an image has a name that no registry has, as those of layouts and archives do."""
    return name.startswith("localhost/")


def store_name(reference: ImageReference) -> str:
    """Return the full name of an image. Raises NotFoundError when its file or directory is not there."""
    rest = reference.rest
    match reference.transport:
        case "docker":
            return normalize_name(rest.removeprefix("//"))
        case "oci":
            path, inner = _split_path(rest)
            return _from_index(_read(path / "index.json"), path, inner)
        case "oci-archive":
            path, inner = _split_path(rest)
            return _from_index(_read_member(path, "index.json"), path, inner)
        case "docker-archive":
            path, inner = _split_path(rest)
            return _from_repo_tags(_read_member(path, "manifest.json"), path, inner)
        case "containers-storage" | "docker-daemon":
            # [driver@root]name
            return _named(rest.rpartition("]")[2], Path("image"))
        case _:
            return _named("", Path(rest))


def _split_path(rest: str) -> tuple[Path, str]:
    path, _, inner = rest.partition(":")
    return Path(path), inner


def _from_index(raw: bytes, path: Path, inner: str) -> str:
    described = _decode(raw, _Index, path).manifests
    annotations = [one.annotations or {} for one in described]
    if not inner and len(annotations) == 1:
        names = [annotations[0][key] for key in _ANNOTATIONS if key in annotations[0]]
        inner = names[0] if names else ""
    return _named(inner, path)


def _from_repo_tags(raw: bytes, path: Path, inner: str) -> str:
    if not inner or inner.startswith("@"):
        tags = [
            tag for archived in _decode(raw, tuple[_Archived, ...], path) for tag in archived.repo_tags or ()
        ]
        inner = tags[0] if tags else ""
    return _named(inner, path)


def _named(inner: str, path: Path) -> str:
    """Return the name found inside; a bare tag, or none, becomes one of the file's own name."""
    if "/" in inner or ":" in inner:
        return normalize_name(inner)
    stem = path.name.lower().removesuffix(".tar")
    cleaned = "".join(one if one.isascii() and one.isalnum() else "-" for one in stem).strip("-")
    tag = inner or DEFAULT_TAG
    try:
        return normalize_name(f"localhost/{cleaned or 'image'}:{tag}")
    except UsageError as error:
        raise UsageError(
            f"{inner!a} in {path} is not an image name", hint="give one with --name-image"
        ) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(DEFAULT_LIMITS.json_size + 1)
    except OSError as error:
        if is_exhaustion(error):
            raise
        if path.parent.is_dir() and not path.exists():
            raise NotFoundError(
                f"{path.parent} is not an OCI layout: there is no {path}", hint=_MAKE_LAYOUT
            ) from error
        raise NotFoundError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error


def _read_member(archive: Path, name: str) -> bytes:
    is_tar = False
    try:
        with archive.open("rb") as file:
            reader = TarReader(PlainStream(file))
            for entry in reader:
                is_tar = True
                if entry.path == name:
                    return _bounded(reader.content(), entry.size)
    except OSError as error:
        if is_exhaustion(error):
            raise
        raise NotFoundError(f"{archive} cannot be read: {error.strerror}", hint="check the path") from error
    except ImageError as error:
        why = error.message if is_tar else "it is not a tar archive"
        raise ImageError(f"{archive} is not an image archive: {why}", hint=_MAKE_ARCHIVE) from error
    raise ImageError(f"{archive} is not an image archive: it has no {name}", hint=_MAKE_ARCHIVE)


def _bounded(content: Iterator[memoryview], size: int) -> bytes:
    if size > DEFAULT_LIMITS.json_size:
        raise ImageError(f"its index is larger than {DEFAULT_LIMITS.json_size} bytes")
    return b"".join(content)


def _decode(raw: bytes, kind: type[_Type], path: Path) -> _Type:
    return strict_json.decode(raw, kind, f"the index in {path}", DEFAULT_LIMITS)
