"""An image comes into the repo: its missing layers, one by one, then all of them merged, under its name.

Layers that are whole are made durable every few seconds, and when the next one fails: an import that was
interrupted goes on where it was, but for those seconds when it was killed.
"""

import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from os_containers.errors import ImageError, OsContainersError
from os_containers.events import BlobFinished, BlobPresent, OnEvent
from os_containers.image.layer import BlobSource
from os_containers.image.limits import Limits
from os_containers.image.manifest import (
    Digest,
    Layer,
    layers_of,
    parse_image_config,
    parse_manifest,
)
from os_containers.image.retrying import retried
from os_containers.ostree import refs
from os_containers.ostree.fetching import fetch_layer
from os_containers.ostree.formats import Attributes
from os_containers.ostree.free_space import write_fault
from os_containers.ostree.layer_import import StagedLayer
from os_containers.ostree.merge import merge
from os_containers.ostree.repo import BLOB_SIZE, LAYER_DIFF_ID, LAYER_UNPACKED_SIZE, Repo
from os_containers.ostree.stored_image import StoredImage, image_metadata
from os_containers.ostree.transaction import Transaction
from os_containers.ostree.tree import Directory

logger = logging.getLogger(__name__)

# So much work may be lost to a crash, beside the layer under way.
# While layers are made durable, nothing else goes on.
SECONDS_BETWEEN_COMMITS = 5.0


def import_image(
    repo: Repo,
    source: BlobSource,
    *,
    manifest_digest: Digest,
    manifest_raw: bytes,
    config_raw: bytes,
    name: str,
    limits: Limits,
    on_event: OnEvent,
    seconds: float = SECONDS_BETWEEN_COMMITS,
) -> StoredImage:
    """Store an image under a name and return it; what is here already is not fetched again.

    The name means the former image, or none, until all of the new one is there.
    """
    image = _Image.parse(manifest_digest, manifest_raw, config_raw, limits)
    same = _find_same(repo, image)
    if same:
        for layer in image.layers:
            on_event(BlobPresent(layer.digest, "layer"))
        repo.set_image(name, same.commit)
        return replace(same, name=name)
    trees = _present_trees(repo, image.layers)
    for digest in trees:
        on_event(BlobPresent(digest, "layer"))
    missing = {layer.digest: layer for layer in image.layers if layer.digest not in trees}
    trees |= _import_layers(_Fetcher(repo, source, limits, on_event), missing.values(), seconds)
    with repo.transaction() as transaction:
        _record_config(transaction, image.config_digest, config_raw)
        size = _unpacked_size(repo, image)
        commit = _write_merged(transaction, image, trees, size)
        transaction.set_ref(refs.image_ref(name), commit)
    # not read again: that could fail, and it is stored
    return StoredImage(name, commit, image.digest, image.manifest, image.config, size)


@dataclass(frozen=True, slots=True)
class _Image:
    """What a registry gives of an image, before its layers."""

    digest: Digest
    manifest: bytes
    config: bytes
    config_digest: Digest
    created: str | None
    layers: tuple[Layer, ...]

    @classmethod
    def parse(cls, digest: Digest, manifest_raw: bytes, config_raw: bytes, limits: Limits) -> "_Image":
        manifest = parse_manifest(manifest_raw, limits)
        config = parse_image_config(config_raw, limits)
        if Digest.of(config_raw) != manifest.config_digest:
            raise ImageError(f"the image config does not have the digest {manifest.config_digest}")
        return cls(
            digest=digest,
            manifest=manifest_raw,
            config=config_raw,
            config_digest=manifest.config_digest,
            created=config.created,
            layers=layers_of(manifest, config),
        )


def _present_trees(repo: Repo, layers: Sequence[Layer]) -> dict[Digest, Directory]:
    trees = {layer.digest: repo.find_layer_tree(layer) for layer in layers}
    return {digest: tree for digest, tree in trees.items() if tree is not None}


def _find_same(repo: Repo, image: _Image) -> StoredImage | None:
    blobs = (image.config_digest, *(layer.digest for layer in image.layers))
    if not all(repo.has_blob(digest) for digest in blobs):
        return None
    for stored in repo.images():
        same = (stored.digest, stored.manifest, stored.config) == (image.digest, image.manifest, image.config)
        if same and repo.is_whole(stored.commit):
            return stored
    return None


def _import_layers(fetcher: "_Fetcher", layers: Iterable[Layer], seconds: float) -> dict[Digest, Directory]:
    # One after the other: two at once were not faster (10,000 files, two cores), since each file takes the
    # interpreter's lock several times; and the image proxy downloads in a process of its own.
    trees: dict[Digest, Directory] = {}
    pending = deque(layers)
    while pending:
        with fetcher.repo.transaction() as transaction:
            failure = _import_some(fetcher, transaction, pending, trees, time.monotonic() + seconds)
        # not before: the layers that came before the one that failed are kept
        if failure:
            raise failure
    return trees


def _import_some(
    fetcher: "_Fetcher",
    transaction: Transaction,
    pending: deque[Layer],
    trees: dict[Digest, Directory],
    end: float,
) -> OsContainersError | None:
    """Import one layer, and more until a time; return what was wrong with the last one."""
    while pending:
        try:
            staged = fetcher.fetch(transaction, pending[0])
        except OsContainersError as error:
            # the transaction may fail, too, and is all that is told then
            logger.debug("layer %s: %s", pending[0].digest, error.message)
            return error
        layer = pending.popleft()
        _record_layer(transaction, layer, staged)
        trees[layer.digest] = staged.root
        if time.monotonic() >= end:
            break
    return None


@dataclass(frozen=True, slots=True)
class _Fetcher:
    """Brings layers from their source into transactions of a repo."""

    repo: Repo
    source: BlobSource
    limits: Limits
    on_event: OnEvent

    def fetch(self, transaction: Transaction, layer: Layer) -> StagedLayer:
        """Return a layer, whole and verified, which is told; it is durable when the transaction has ended.

        One that fails leaves nothing in the transaction.
        """
        try:
            staged = retried(lambda: self._attempt(transaction, layer), self.limits)
        except OSError as error:
            raise write_fault(self.repo.path, error) from error
        self.on_event(BlobFinished(layer.digest))
        return staged

    def _attempt(self, transaction: Transaction, layer: Layer) -> StagedLayer:
        with transaction.objects.all_or_none() as objects:
            return fetch_layer(
                objects,
                self.source,
                layer,
                limits=self.limits,
                space=self.repo.free_space(),
                on_event=self.on_event,
            )


def _unpacked_size(repo: Repo, image: _Image) -> int:
    unpacked = (repo.blob_metadata(layer.digest, LAYER_UNPACKED_SIZE) for layer in image.layers)
    return sum(int(one or 0) for one in unpacked)


def _write_merged(
    transaction: Transaction, image: _Image, trees: Mapping[Digest, Directory], size: int
) -> str:
    tree = transaction.objects.write_tree(merge(trees[layer.digest] for layer in image.layers))
    metadata = image_metadata(image.digest, image.manifest, image.config, size)
    return transaction.write_commit(tree, metadata, _timestamp(image.created))


def _record_layer(transaction: Transaction, layer: Layer, staged: StagedLayer) -> None:
    metadata = {
        BLOB_SIZE: str(layer.size),
        LAYER_UNPACKED_SIZE: str(staged.unpacked),
        LAYER_DIFF_ID: layer.diff_id,
    }
    commit = transaction.write_commit(staged.checksums, metadata)
    transaction.set_ref(refs.blob_ref(layer.digest.hex), commit)


def _record_config(transaction: Transaction, digest: Digest, raw: bytes) -> None:
    content = transaction.objects.write_file(Attributes(), [raw])
    tree = transaction.objects.write_tree(Directory(files={"content": content}))
    commit = transaction.write_commit(tree, {BLOB_SIZE: str(len(raw))})
    transaction.set_ref(refs.blob_ref(digest.hex), commit)


def _timestamp(created: str | None) -> int:
    # From the image alone: the same image gives the same commit, whenever it is pulled.
    try:
        return max(0, int(datetime.fromisoformat(created or "").timestamp()))
    except (ValueError, OverflowError):
        return 0
