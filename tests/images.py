"""Images for tests, made of text, so that a test shows its whole input.

build_image(tmp_path / "hello", {"/usr/bin/hello": "#!/bin/sh"}, entrypoint=["/usr/bin/hello"])
build_image(tmp_path / "two", {"/a": "1"}, {"/a": None, "/link": Symlink("a")}, compression="zstd")
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import zstandard

from os_containers.errors import ImageError
from os_containers.image.manifest import Digest, Layer

_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class File:
    """A regular file with more to say than its text."""

    content: str | bytes = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Directory:
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Symlink:
    target: str


@dataclass(frozen=True)
class HardLink:
    target: str


Content = str | bytes | None | File | Directory | Symlink | HardLink
Files = Mapping[str, Content]


def build_layer(files: Files) -> bytes:
    """Return a tar of files in their order; None makes a whiteout, text under bin/ is executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in files.items():
            _add(tar, path.lstrip("/"), content)
    return buffer.getvalue()


def compress(layer: bytes, compression: str) -> bytes:
    """Return a layer as gzip, zstd or, for none, as it is."""
    if compression == "gzip":
        return gzip.compress(layer, compresslevel=1, mtime=0)
    return zstandard.compress(layer) if compression == "zstd" else layer


def build_image(
    directory: Path,
    *layers: Files,
    compression: str = "gzip",
    exports: Files | None = None,
    name: str | None = None,
    architecture: str = "amd64",
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Sequence[str] = (),
    user: str = "",
    working_dir: str = "",
    stop_signal: str = "",
    labels: Mapping[str, str] | None = None,
    volumes: Sequence[str] = (),
) -> Path:
    """Make an OCI layout of one image in directory and return it; exports are added as /exports/..."""
    if exports is not None:
        layers = (*layers, {f"/exports/{path.lstrip('/')}": content for path, content in exports.items()})
    tars = [build_layer(files) for files in layers]
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {
            "Entrypoint": list(entrypoint),
            "Cmd": list(cmd),
            "Env": list(env),
            "User": user,
            "WorkingDir": working_dir,
            "StopSignal": stop_signal,
            "Labels": dict(labels or {}),
            "Volumes": {volume: {} for volume in volumes},
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(tar) for tar in tars]},
    }
    return write_layout(directory, json.dumps(config).encode(), tars, compression=compression, name=name)


def write_layout(
    directory: Path,
    config: bytes,
    tars: Sequence[bytes],
    *,
    compression: str = "gzip",
    name: str | None = None,
) -> Path:
    """Write an OCI layout from an image config and the tars of its layers."""
    suffix = "" if compression == "none" else f"+{compression}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": add_blob(directory, config, "application/vnd.oci.image.config.v1+json"),
        "layers": [add_blob(directory, compress(tar, compression), f"{_LAYER_TYPE}{suffix}") for tar in tars],
    }
    descriptor = add_blob(directory, json.dumps(manifest).encode(), manifest["mediaType"])
    annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    write_index(directory, [{**descriptor, **annotations}])
    return directory


def write_index(directory: Path, manifests: Sequence[Mapping[str, object]]) -> None:
    """Write oci-layout and index.json, which name the images of a layout."""
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(manifests)}))


def add_blob(directory: Path, blob: bytes, media_type: str) -> dict[str, object]:
    """Write a blob into a layout and return its descriptor."""
    digest = Digest.of(blob)
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest.hex).write_bytes(blob)
    return {"mediaType": media_type, "digest": digest, "size": len(blob)}


@dataclass
class FakeSource:
    """Blobs from memory: the seam where the registry would be."""

    blobs: Mapping[str, bytes]

    @contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:
        if digest not in self.blobs:
            raise ImageError(f"no blob {digest} of {size} bytes")
        yield io.BytesIO(self.blobs[digest])


@dataclass(frozen=True)
class RawImage:
    """An image as a registry gives it."""

    manifest: bytes
    config: bytes
    source: FakeSource

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)


def raw_image(*tars: bytes, compression: str = "gzip") -> RawImage:
    """Return an image made of tars, whatever they hold."""
    layers = [one_layer(tar, compression)[1] for tar in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    raw = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest.of(raw),
            "size": len(raw),
        },
        "layers": [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    blobs = {layer.digest: compress(tar, compression) for layer, tar in zip(layers, tars, strict=True)}
    return RawImage(json.dumps(manifest).encode(), raw, FakeSource(blobs))


def one_layer(tar: bytes, compression: str = "gzip") -> tuple[FakeSource, Layer]:
    """Return a source with one layer, and that layer."""
    blob = compress(tar, compression)
    suffix = "" if compression == "none" else f"+{compression}"
    layer = Layer(Digest.of(blob), len(blob), f"{_LAYER_TYPE}{suffix}", Digest.of(tar))
    return FakeSource({layer.digest: blob}), layer


def _add(tar: tarfile.TarFile, path: str, content: Content) -> None:
    if content is None:
        directory, _, name = path.rpartition("/")
        path, content = f"{directory}/.wh.{name}".lstrip("/"), File()
    if isinstance(content, str | bytes):
        content = File(content, mode=0o755 if "bin/" in path else 0o644)
    header = tarfile.TarInfo(path)
    data = b""
    match content:
        case File():
            data = content.content.encode() if isinstance(content.content, str) else content.content
            header.mode, header.uid, header.gid = content.mode, content.uid, content.gid
            header.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in content.xattrs.items()}
        case Directory():
            header.type = tarfile.DIRTYPE
            header.mode, header.uid, header.gid = content.mode, content.uid, content.gid
        case Symlink():
            header.type, header.linkname, header.mode = tarfile.SYMTYPE, content.target, 0o777
        case HardLink():
            header.type, header.linkname = tarfile.LNKTYPE, content.target
    header.size = len(data)
    tar.addfile(header, io.BytesIO(data))
