"""Prune: the blobs that no image and no pin needs go, then the objects that no ref needs."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass

from os_containers.errors import BrokenError, ImageError
from os_containers.image.manifest import Digest
from os_containers.ostree import refs
from os_containers.ostree.object_stage import remove_stale_stages
from os_containers.ostree.reachability import all_objects, known, object_sizes, reachable, with_parents
from os_containers.ostree.repo import Repo, StoredLayer
from os_containers.ostree.sizes import Sizes
from os_containers.ostree.stored_image import StoredImage


@dataclass(frozen=True, slots=True)
class Pruned:
    """What prune removed, or would: images by their digests, the refs of blobs, the layers among these."""

    refs: tuple[str, ...]
    objects: int
    bytes: int
    images: tuple[Digest, ...] = ()
    layers: tuple[StoredLayer, ...] = ()


def prune_repo(repo: Repo) -> Pruned:
    """Remove what nothing needs, and return it.

    Nobody else may be changing the repo meanwhile. Raises BrokenError, and removes nothing, when an image
    or a pin is damaged.
    """
    unneeded = _unneeded_refs(repo)
    kept = repo.refs.commits_but(unneeded)
    images, layers = _lost_images(repo, kept), _layers_of(repo, unneeded)
    repo.refs.remove(unneeded)
    objects, size = repo.libostree.prune()
    remove_stale_stages(repo.path)
    repo.refs.remove_leftovers()
    return Pruned(tuple(unneeded), objects, size, images, layers)


def would_prune(repo: Repo, *, without: Collection[tuple[str, int]] = ()) -> Pruned:
    """Return what prune would remove were there not these pins; reads the trees of all images."""
    pins = {repo.pins.ref(*pin) for pin in without}
    unneeded = _unneeded_refs(repo, pins)
    kept = repo.refs.commits_but({*unneeded, *pins})
    lost = object_sizes(repo.path, all_objects(repo.path) - _needed_objects(repo, kept))
    images, layers = _lost_images(repo, kept), _layers_of(repo, unneeded)
    return Pruned(tuple(unneeded), len(lost), sum(lost.values()), images, layers)


def sizes_on_disk(repo: Repo, image: StoredImage) -> Sizes:
    """Return what prune would free of an image without a name and without deployments, and what it would not.

    Reads the trees of all images. Raises BrokenError as prune_repo does.
    """
    gone = {ref for ref in (*repo.image_refs(), *repo.pins.all_refs()) if repo.refs.find(ref) == image.commit}
    kept = repo.refs.commits_but({*_unneeded_refs(repo, gone), *gone})
    mine = reachable(repo.path, repo.image_commits(image))
    needed = _needed_objects(repo, kept)
    own, shared = (sum(object_sizes(repo.path, names).values()) for names in (mine - needed, mine & needed))
    return Sizes(own, shared)


def _needed_objects(repo: Repo, kept: set[str]) -> set[str]:
    _, others = repo.refs.commits_by_owner(refs.OURS)
    return reachable(repo.path, kept - others) | known(repo.path, with_parents(repo.path, others))


def _unneeded_refs(repo: Repo, without: Collection[str] = ()) -> list[str]:
    needed = _needed_refs(repo, without)
    return [ref for ref in repo.refs.names(refs.IMAGES) if refs.is_blob_ref(ref) and ref not in needed]


def _needed_refs(repo: Repo, without: Collection[str]) -> set[str]:
    # Every image and pin must be readable: what a damaged one needs is not known, so nothing may go.
    pins = [ref for ref in repo.pins.all_refs() if refs.parse_pin(ref)]
    commits = {repo.refs.require(ref) for ref in (*repo.image_refs(), *pins) if ref not in without}
    manifests = [repo.manifest(commit) for commit in commits]
    digests = {layer.digest for manifest in manifests for layer in manifest.layers}
    digests |= {manifest.config_digest for manifest in manifests}
    return {refs.blob_ref(digest.hex) for digest in digests}


def _layers_of(repo: Repo, blob_refs: list[str]) -> tuple[StoredLayer, ...]:
    found = (repo.find_layer(Digest(f"sha256:{ref.rpartition('/')[2]}")) for ref in blob_refs)
    return tuple(layer for layer in found if layer)


def _lost_images(repo: Repo, kept: set[str]) -> tuple[Digest, ...]:
    """Return the images of merged commits that are not kept."""
    here = {name.removesuffix(".commit") for name in all_objects(repo.path) if name.endswith(".commit")}
    lost = []
    for commit in sorted(here.difference(kept)):
        with contextlib.suppress(BrokenError, ImageError):
            lost.append(repo.stored_commit("", commit).digest)
    return tuple(dict.fromkeys(lost))
