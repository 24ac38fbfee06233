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
from pathlib import Path

Json = Mapping[str, object]

# Twice the speed of the default level for 2 % more bytes.
COMPRESSION_LEVEL = 4


def write_layout(directory: Path, *, tag: str, layers: Sequence[bytes], config: Json) -> None:
    """Write an image made of layers, each a tar archive; config is the container part of the image config."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    zipped = [gzip.compress(layer, COMPRESSION_LEVEL, mtime=0) for layer in layers]
    image_config = {
        "created": "2025-01-01T00:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _add_blob(blobs, _encode(image_config), "application/vnd.oci.image.config.v1+json"),
        "layers": [_add_blob(blobs, one, "application/vnd.oci.image.layer.v1.tar+gzip") for one in zipped],
    }
    described = _add_blob(blobs, _encode(manifest), "application/vnd.oci.image.manifest.v1+json")
    described["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (directory / "index.json").write_bytes(_encode({"schemaVersion": 2, "manifests": [described]}))
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


def _add_blob(blobs: Path, content: bytes, media_type: str) -> dict[str, object]:
    digest = _sha256(content)
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
