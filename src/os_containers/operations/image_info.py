"""What there is to know about an image, of the one in the store and of the one in the registry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from os_containers.errors import BrokenError
from os_containers.events import Warned
from os_containers.image.about import About, parse_about
from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import (
    ContainerConfig,
    Digest,
    ImageConfig,
    Layer,
    layers_of,
    parse_image_config,
    parse_manifest,
)
from os_containers.image.name import store_name
from os_containers.image.proxy import open_image
from os_containers.image.reference import ImageReference
from os_containers.operations.find_image import stored_images
from os_containers.operations.image_demands import Demands, demands_of
from os_containers.operations.image_use import Use, every_image, find_uses, nameless_images
from os_containers.operations.limits_named import limits_named
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree.pruning import sizes_on_disk
from os_containers.ostree.repo import Repo
from os_containers.ostree.sizes import Sizes, sizes_by_layer
from os_containers.ostree.stored_image import STORED, StoredImage


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A layer: bytes as it is fetched and, when it is here, unpacked; and which other images have it."""

    digest: str
    size: int
    unpacked: int | None
    shared_with: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        return self.unpacked is not None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is here of an image: bytes of its files and layers, as a list has them, and on the disk.

    on_disk is what prune would free without the image and what it would not, None when a damaged image keeps
    it from freeing anything.
    """

    names: tuple[str, ...]
    commit: str
    pulled: datetime | None
    size: int
    layers: Sizes
    on_disk: Sizes | None
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image: stored is what the store has of just this one, demands what only a pulled one can tell."""

    name: str
    digest: str
    config: ImageConfig
    about: About
    layers: tuple[LayerInfo, ...]
    stored: Stored | None = None
    demands: Demands | None = None

    @property
    def command(self) -> ContainerConfig:
        return self.config.container


def image_info(system: System, image: str) -> ImageInfo:
    """Return what there is to know about an image in the store. Raises NotFoundError when it is not there."""
    repo = system.repo()
    with system.store_in_use():
        nameless = nameless_images(repo)
        ask = f"os-containers images info --remote {image} asks the registry"
        one = stored_images(repo, image, nameless=nameless, otherwise=ask)[0]
        images = [*repo.images(), *nameless]
        others = [other for other in images if other.commit != one.commit]
        return ImageInfo(
            name=one.name,
            digest=str(one.digest),
            config=one.image_config(),
            about=parse_about(one.config, STORED),
            layers=_layers(repo, one.layers(), others),
            stored=_stored(system, repo, one, images),
            demands=demands_of(system, repo, one),
        )


def remote_image_info(system: System, image: str, *, options: ProxyOptions) -> ImageInfo:
    """Return what the registry tells about an image; nothing is stored.

    Raises NotFoundError, RegistryError, PolicyError or ImageError, as pull does.
    """
    reference = ImageReference.parse(image)
    limits = system.config.limits
    with (
        limits_named(system),
        staging_directory(system, "info") as scratch,
        open_image(reference, options, limits, scratch=scratch) as remote,
    ):
        digest, raw_manifest = remote.manifest()
        raw_config = remote.config()
    manifest, config = parse_manifest(raw_manifest, limits), parse_image_config(raw_config, limits)
    repo = system.repo()
    with system.store_in_use():
        images = repo.images()
        same = [one for one in images if (one.digest, one.manifest) == (digest, raw_manifest)]
        others = [one for one in images if one not in same]
        return ImageInfo(
            name=store_name(reference),
            digest=str(digest),
            config=config,
            about=parse_about(raw_config, limits),
            layers=_layers(repo, layers_of(manifest, config), others),
            stored=_stored(system, repo, same[0], every_image(repo)) if same else None,
        )


def _layers(repo: Repo, layers: Iterable[Layer], others: Iterable[StoredImage]) -> tuple[LayerInfo, ...]:
    owners: dict[Digest, list[str]] = {}
    for other in others:
        for digest in {layer.digest for layer in other.parsed_manifest().layers}:
            owners.setdefault(digest, []).append(_called(other))
    return tuple(_layer(repo, layer, owners) for layer in layers)


def _layer(repo: Repo, layer: Layer, owners: Mapping[Digest, list[str]]) -> LayerInfo:
    here = repo.find_layer(layer.digest)
    shared = tuple(owners.get(layer.digest, ()))
    return LayerInfo(str(layer.digest), layer.size, here.unpacked if here else None, shared)


def _called(image: StoredImage) -> str:
    return image.name or image.digest.hex[:12]


def _stored(system: System, repo: Repo, image: StoredImage, images: Sequence[StoredImage]) -> Stored:
    return Stored(
        names=tuple(sorted({one.name for one in images if one.name and one.commit == image.commit})),
        commit=image.commit,
        pulled=image.pulled,
        size=image.size,
        layers=sizes_by_layer(repo, images)[image.commit],
        on_disk=_on_disk(system, repo, image),
        uses=find_uses(system, repo).get(image.commit, ()),
    )


def _on_disk(system: System, repo: Repo, image: StoredImage) -> Sizes | None:
    try:
        return sizes_on_disk(repo, image)
    except BrokenError as error:
        system.on_event(Warned(f"what it takes on the disk is not known: {error.message}"))
        return None
