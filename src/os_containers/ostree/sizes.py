"""How much of an image no other image has.

By layers: that is known without reading a tree, and a layer that two images have is shared by both; a list of
images has no time for more. What files of different layers share besides pruning.sizes_on_disk counts, which
reads all trees.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from os_containers.image.manifest import Digest
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of an image that no other has, and those that others have, too."""

    own: int
    shared: int


def sizes_by_layer(repo: Repo, images: Iterable[StoredImage]) -> Mapping[str, Sizes]:
    """Return the bytes of images' layers, unpacked, by their commits; what is not here takes nothing."""
    layers = {one.commit: frozenset(layer.digest for layer in one.parsed_manifest().layers) for one in images}
    owners = Counter(digest for digests in layers.values() for digest in digests)
    unpacked = {digest: _unpacked(repo, digest) for digest in owners}
    return {commit: _sizes(digests, owners, unpacked) for commit, digests in layers.items()}


def _sizes(digests: Iterable[Digest], owners: Mapping[Digest, int], unpacked: Mapping[Digest, int]) -> Sizes:
    own = sum(unpacked[one] for one in digests if owners[one] == 1)
    return Sizes(own, sum(unpacked[one] for one in digests) - own)


def _unpacked(repo: Repo, digest: Digest) -> int:
    layer = repo.find_layer(digest)
    return layer.unpacked if layer else 0
