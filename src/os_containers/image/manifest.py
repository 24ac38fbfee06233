"""What an image says about itself: the manifest and the image config, parsed from bytes; pure.

Reads OCI and Docker schema 2. Everything else is refused by name rather than half understood.
"""

import hashlib
import re
from dataclasses import dataclass

import msgspec

from os_containers.errors import ImageError, LimitError, UsageError
from os_containers.image import strict_json
from os_containers.image.limits import DEFAULT_LIMITS, Limits

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
LAYER_COMPRESSIONS = {
    _OCI_LAYER: "none",
    f"{_OCI_LAYER}+gzip": "gzip",
    f"{_OCI_LAYER}+zstd": "zstd",
    _DOCKER_LAYER: "none",
    f"{_DOCKER_LAYER}.gzip": "gzip",
    f"{_DOCKER_LAYER}.zstd": "zstd",
}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLATFORM = re.compile(r"[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_.]+)?")
_MAX_SIZE = 2**63 - 1


class Digest(str):
    """`sha256:` and 64 lower-case hexadecimal digits; nothing else becomes a Digest."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Digest":
        if not _DIGEST.fullmatch(text):
            raise ImageError(f"not a sha256 digest: {text[:100]!a}")
        return cls(text)

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}")

    @property
    def hex(self) -> str:
        return self.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Platform:
    """Which variant of a multi-platform image is wanted."""

    os: str
    architecture: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Return the platform that "linux/arm64/v8" means."""
        if not _PLATFORM.fullmatch(text):
            raise UsageError(f"not a platform: {text[:100]!a}", hint="write os/architecture[/variant]")
        os, architecture, *variant = text.split("/")
        return cls(os, architecture, *variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A layer as the manifest names it."""

    digest: Digest
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be verified twice: as a blob (digest, size) and as a tar (diff_id)."""

    digest: Digest
    size: int
    media_type: str
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    config_digest: Digest
    config_size: int
    layers: tuple[Descriptor, ...]
    media_type: str


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """How the image wants its program to be run."""

    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageConfig:
    architecture: str
    os: str
    created: str | None
    container: ContainerConfig
    diff_ids: tuple[Digest, ...]


def parse_manifest(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Return the manifest of one image; raises ImageError for an index, an artifact or nonsense."""
    written = strict_json.decode(raw, _ManifestJson, "the manifest", limits)
    _refuse_other_kinds(written)
    if written.config is None or written.layers is None:
        raise ImageError("the manifest has no config or no layers")
    if len(written.layers) > limits.layers:
        fact = f"the image has {len(written.layers)} layers, more than {limits.layers}"
        raise LimitError(fact, limit="layers")
    return Manifest(
        config_digest=Digest.parse(written.config.digest),
        config_size=_size(written.config),
        layers=tuple(_layer_descriptor(layer) for layer in written.layers),
        media_type=written.media_type or OCI_MANIFEST,
    )


def parse_image_config(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> ImageConfig:
    """Return the image config; raises ImageError when it is malformed."""
    written = strict_json.decode(raw, _ImageConfigJson, "the image config", limits)
    if written.rootfs.type != "layers":
        raise ImageError(f"the image config has a rootfs of type {written.rootfs.type[:100]!a}")
    return ImageConfig(
        architecture=written.architecture,
        os=written.os,
        created=written.created,
        container=_container_config(written.config or _ContainerConfigJson()),
        diff_ids=tuple(Digest.parse(diff_id) for diff_id in written.rootfs.diff_ids or ()),
    )


def parse_platforms(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Platform, ...]:
    """Return the platforms that an index names, each once, in its order."""
    written = strict_json.decode(raw, _IndexJson, "the index", limits)
    platforms = [one.platform for one in written.manifests if one.platform]
    found = [Platform(one.os, one.architecture, one.variant or None) for one in platforms]
    return tuple(dict.fromkeys(found))


def layers_of(manifest: Manifest, config: ImageConfig) -> tuple[Layer, ...]:
    """Return the layers, lowest first, each with its diff_id."""
    if len(manifest.layers) != len(config.diff_ids):
        raise ImageError(
            f"the manifest has {len(manifest.layers)} layers, the image config {len(config.diff_ids)}"
        )
    return tuple(
        Layer(descriptor.digest, descriptor.size, descriptor.media_type, diff_id)
        for descriptor, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
    )


def with_layers(raw: bytes, layers: object, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return a manifest with other layers: objects with digest, size and media_type, lowest first."""
    manifest = strict_json.decode(raw, dict[str, object], "the manifest", limits)
    try:
        described = msgspec.convert(layers, tuple[_LayerInfo, ...])
    except msgspec.ValidationError as error:
        raise ImageError(f"the layers of the image are malformed: {error}") from error
    manifest["layers"] = [
        {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in described
    ]
    return msgspec.json.encode(manifest)


class _LayerInfo(msgspec.Struct, frozen=True):
    digest: str
    size: int
    media_type: str


class _DescriptorJson(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    digest: str
    # An integral float would pass as int: keep it apart to refuse it.
    size: int | float
    urls: tuple[str, ...] | None = None


class _ManifestJson(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: int
    media_type: str | None = None
    config: _DescriptorJson | None = None
    layers: tuple[_DescriptorJson, ...] | None = None
    manifests: object = None
    fs_layers: object = None


class _PlatformJson(msgspec.Struct, frozen=True):
    os: str
    architecture: str
    variant: str | None = None


class _IndexedJson(msgspec.Struct, frozen=True):
    platform: _PlatformJson | None = None


class _IndexJson(msgspec.Struct, frozen=True):
    manifests: tuple[_IndexedJson, ...]


class _ContainerConfigJson(msgspec.Struct, frozen=True, rename="pascal"):
    user: str | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    volumes: dict[str, object] | None = None


class _RootfsJson(msgspec.Struct, frozen=True):
    type: str
    diff_ids: tuple[str, ...] | None


class _ImageConfigJson(msgspec.Struct, frozen=True):
    architecture: str
    os: str
    rootfs: _RootfsJson
    created: str | None = None
    config: _ContainerConfigJson | None = None


def _refuse_other_kinds(written: _ManifestJson) -> None:
    # One document must not be two things: readers would disagree about which (CVE-2021-41190).
    if written.manifests is not None and written.layers is not None:
        raise ImageError("the manifest claims to be an index as well")
    if written.manifests is not None:
        raise ImageError("found an image index where a single image was expected")
    if written.schema_version != 2 or written.fs_layers is not None:  # noqa: PLR2004 - as OCI says
        raise ImageError(f"the manifest is of schema {written.schema_version}, which is not supported")
    if written.media_type not in {None, OCI_MANIFEST, DOCKER_MANIFEST}:
        raise ImageError(f"not the manifest of an image: {written.media_type!a}")
    if written.config and written.config.media_type not in {OCI_CONFIG, DOCKER_CONFIG}:
        raise ImageError(f"an artifact, not an image: its config is {written.config.media_type[:100]!a}")


def _layer_descriptor(written: _DescriptorJson) -> Descriptor:
    if written.urls or "foreign" in written.media_type or "nondistributable" in written.media_type:
        raise ImageError(f"layer {written.digest[:100]!a} must be fetched from elsewhere")
    if written.media_type.endswith("+encrypted"):
        raise ImageError(f"layer {written.digest[:100]!a} is encrypted")
    if written.media_type not in LAYER_COMPRESSIONS:
        raise ImageError(f"layers of type {written.media_type[:100]!a} are not supported")
    return Descriptor(Digest.parse(written.digest), _size(written), written.media_type)


def _size(written: _DescriptorJson) -> int:
    if not isinstance(written.size, int) or not 0 <= written.size <= _MAX_SIZE:
        raise ImageError(f"blob {written.digest[:100]!a} has the invalid size {written.size}")
    return written.size


def _container_config(written: _ContainerConfigJson) -> ContainerConfig:
    return ContainerConfig(
        user=written.user or "",
        env=written.env or (),
        entrypoint=written.entrypoint or (),
        cmd=written.cmd or (),
        working_dir=written.working_dir or "",
        stop_signal=written.stop_signal or "",
        volumes=tuple(sorted(written.volumes or ())),
    )
