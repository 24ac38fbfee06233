"""OCI image layouts, written by hand: a directory of blobs named by their digest, and an index.

DIRECTORY/oci-layout
DIRECTORY/index.json             -> the manifest, by digest, with its tag
DIRECTORY/blobs/sha256/DIGEST    manifest, image config, layers
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Json = Mapping[str, object]

# Twice the speed of the default level for 2 % more bytes.
COMPRESSION_LEVEL = 4
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer whose gzip is among the blobs already; both digests are bare sha256."""

    digest: str
    diff_id: str
    size: int


def write_layout(directory: Path, *, tag: str, layers: Sequence[bytes], config: Json) -> None:
    """Write an image made of layers, each a tar archive; config is the container part of the image config."""
    (directory / "blobs/sha256").mkdir(parents=True)
    described = [add_layer(directory, layer) for layer in layers]
    write_index(directory, [add_manifest(directory, tag, described, config)])


def add_layer(directory: Path, archive: bytes) -> Layer:
    """Write the blob of a layer."""
    zipped = gzip.compress(archive, COMPRESSION_LEVEL, mtime=0)
    return Layer(_write_blob(directory / "blobs/sha256", zipped), _sha256(archive), len(zipped))


def add_manifest(directory: Path, tag: str, layers: Sequence[Layer], config: Json) -> Json:
    """Write the manifest of an image and its config; return how an index describes it."""
    blobs = directory / "blobs/sha256"
    image_config = {
        "created": "2025-01-01T00:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _add_blob(blobs, _encode(image_config), "application/vnd.oci.image.config.v1+json"),
        "layers": [_description(LAYER_TYPE, layer.digest, layer.size) for layer in layers],
    }
    described = _add_blob(blobs, _encode(manifest), "application/vnd.oci.image.manifest.v1+json")
    return {**described, "annotations": {"org.opencontainers.image.ref.name": tag}}


def write_index(directory: Path, described: Sequence[Json]) -> None:
    """Make a directory with blobs a layout of the images described."""
    (directory / "index.json").write_bytes(_encode({"schemaVersion": 2, "manifests": described}))
    (directory / "oci-layout").write_bytes(_encode({"imageLayoutVersion": "1.0.0"}))


def tar_of(tree: Path) -> bytes:
    """Return a tar archive of what is in a directory, owned by root, the same bytes for the same tree."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(tree)), recursive=False, filter=_as_root)
    return buffer.getvalue()


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    return member


def _add_blob(blobs: Path, content: bytes, media_type: str) -> Json:
    return _description(media_type, _write_blob(blobs, content), len(content))


def _write_blob(blobs: Path, content: bytes) -> str:
    digest = _sha256(content)
    (blobs / digest).write_bytes(content)
    return digest


def _description(media_type: str, digest: str, size: int) -> Json:
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
