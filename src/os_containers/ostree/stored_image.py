"""What the repo knows about an image: the metadata of its merged commit.

docker.manifest            the manifest, byte for byte        as the Go tool wrote them
docker.digest              its digest in the registry
os-containers.config       the image config, byte for byte    ours
os-containers.size         bytes of all files, unpacked
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from os_containers.image.limits import Limits
from os_containers.image.manifest import (
    Digest,
    ImageConfig,
    Layer,
    Manifest,
    layers_of,
    parse_image_config,
    parse_manifest,
)

MANIFEST = "docker.manifest"
DIGEST = "docker.digest"
CONFIG = "os-containers.config"
SIZE = "os-containers.size"

# What is here was bounded when it came; it stays readable when the limits are lowered.
STORED = Limits(json_size=sys.maxsize, json_depth=sys.maxsize, layers=sys.maxsize)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in the repo, under one of its names."""

    name: str
    commit: str
    digest: Digest
    manifest: bytes
    config: bytes
    size: int
    pulled: datetime | None = field(default=None, compare=False)

    def parsed_manifest(self) -> Manifest:
        return parse_stored_manifest(self.manifest)

    def image_config(self) -> ImageConfig:
        return parse_image_config(self.config, STORED)

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers, lowest first."""
        return layers_of(self.parsed_manifest(), self.image_config())


def parse_stored_manifest(raw: bytes) -> Manifest:
    """Return a manifest that was in the repo."""
    return parse_manifest(raw, STORED)


def image_metadata(digest: Digest, manifest: bytes, config: bytes, size: int) -> Mapping[str, str]:
    """Return what a merged commit says about its image."""
    return {MANIFEST: manifest.decode(), DIGEST: digest, CONFIG: config.decode(), SIZE: str(size)}
