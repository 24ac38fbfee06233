"""The OSTree repo: images, blobs and pins, as refs.py names them.

A blob is a layer or an image config, one commit each. An image is one merged commit: its layers on top of
each other.
"""

import contextlib
import functools
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from os_containers.errors import BrokenError, ImageError, NotFoundError
from os_containers.image.manifest import Digest, Layer
from os_containers.ostree import refs
from os_containers.ostree.creation import require_repo, without_repo
from os_containers.ostree.free_space import FreeSpace, write_fault
from os_containers.ostree.object_stage import object_stage, remove_stale_stages, repo_scratch
from os_containers.ostree.objects import find_content, has_tree, read_commit, read_tree, read_whole_tree
from os_containers.ostree.reachability import (
    all_objects,
    known,
    object_sizes,
    reachable,
    reachable_for_others,
    with_parents,
)
from os_containers.ostree.ref_files import RefFiles
from os_containers.ostree.stored_image import (
    CONFIG,
    DIGEST,
    MANIFEST,
    SIZE,
    StoredImage,
    parse_stored_manifest,
)
from os_containers.ostree.transaction import Transaction
from os_containers.ostree.tree import Directory
from os_containers.ostree.variants import Commit
from os_containers.ostree.verification import damaged_objects
from os_containers.paths import Mode
from os_containers.scratch import Scratch

if TYPE_CHECKING:
    # it brings up GObject, which reading has no time for
    from os_containers.ostree.libostree import Libostree

logger = logging.getLogger(__name__)

BLOB_SIZE = "docker.size"
LAYER_UNPACKED_SIZE = "docker.uncompressed_size"
LAYER_DIFF_ID = "docker.uncompressed_digest"


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A layer in the repo; sizes in bytes, as it was fetched and unpacked."""

    digest: Digest
    size: int
    unpacked: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What prune removed, or would: images by their digests, the refs of blobs, the layers among these."""

    refs: tuple[str, ...]
    objects: int
    bytes: int
    images: tuple[Digest, ...] = ()
    layers: tuple[StoredLayer, ...] = ()


class Repo:
    """What we keep, of all images and for all containers."""

    def __init__(self, path: Path, mode: Mode, *, pins: str = refs.PINS) -> None:
        self.path = path
        self.mode = mode
        self._pins = pins
        self._refs = RefFiles(path)

    @classmethod
    def open(cls, path: Path, mode: Mode, *, pins: str = refs.PINS) -> "Repo":
        """Return the repo at path, created when there is none; pins is beneath which name ours are."""
        require_repo(path, mode)
        return cls(path, mode, pins=pins)

    @property
    def _is_shared(self) -> bool:
        """Tell whether it is not in our state: others may have in it even what no ref needs yet."""
        return self._pins != refs.PINS

    @functools.cached_property
    def libostree(self) -> "Libostree":
        """The same repo for what libostree does. Raises BrokenError when it does not take it for one."""
        from os_containers.ostree.libostree import Libostree  # noqa: PLC0415 - see above

        return Libostree.open(self.path, hint=without_repo(self.path))

    def images(self) -> list[StoredImage]:
        """Return all images by name; one that is damaged is left out, and logged."""
        found = []
        for ref in self.image_refs():
            try:
                found.append(self._stored_image(ref))
            except BrokenError as error:
                logger.warning("image %s: %s", ref, error.message)
        return sorted(found, key=lambda image: image.name)

    def image_refs(self) -> list[str]:
        """Return the refs of all images, those of damaged ones too."""
        return [ref for ref in self._refs.names(refs.IMAGES) if not refs.is_blob_ref(ref)]

    def find_image(self, name: str) -> StoredImage | None:
        """Return the image of that name, None without one; raises BrokenError when it is damaged."""
        ref = refs.image_ref(name)
        return self._stored_image(ref) if self._refs.read(ref) else None

    def image(self, name: str) -> StoredImage:
        """Return the image of that name."""
        found = self.find_image(name)
        if found is None:
            raise NotFoundError(f"no image named {name}", hint="os-containers images list shows them")
        return found

    def set_image(self, name: str, commit: str) -> None:
        """Let a name mean this merged commit, durably."""
        self._write_refs({refs.image_ref(name): commit})

    def delete_image(self, name: str) -> None:
        """Forget a name; what only it needed goes with the next prune."""
        ref = refs.image_ref(name)
        if ref not in self.image_refs():
            raise NotFoundError(f"no image named {name}", hint="os-containers images list shows them")
        self._refs.remove([ref])

    def pin(self, container: str, serial: int, commit: str) -> None:
        """Keep the commit of a deployment from prune, durably."""
        self._write_refs({self.pin_ref(container, serial): commit})

    def unpin(self, container: str, serial: int) -> None:
        """Let prune have the commit of a deployment; a pin that is not there is fine."""
        self._refs.remove([self.pin_ref(container, serial)])
        self._refs.remove_directory(f"{self._pins}/{container}")

    def pin_ref(self, container: str, serial: int) -> str:
        """Return the ref of a pin of ours."""
        return refs.pin_ref(container, serial, pins=self._pins)

    def take_over_pin(self, container: str, serial: int, commit: str) -> None:
        """Have a pin of our own for what is pinned as if the repo were in our state.

        That was so once; the old one may be another state's, and stays.
        """
        ref = self.pin_ref(container, serial)
        if self.read_ref(ref) is None and self.read_ref(refs.pin_ref(container, serial)) == commit:
            self.pin(container, serial, commit)

    def read_ref(self, ref: str) -> str | None:
        """Return the commit that a ref names, None without the ref or when it is damaged."""
        try:
            return self._refs.read(ref)
        except BrokenError:
            return None

    def pin_names(self) -> list[tuple[str, int]]:
        """Return container and serial of all pins of ours; their commits are not looked at."""
        found = map(refs.find_pin, self._refs.names(self._pins, levels=2))
        return [pin for pin in found if pin]

    def stray_pins(self) -> list[str]:
        """Return what is among the pins, and none."""
        return [ref for ref in self._all_pins() if not refs.find_pin(ref)]

    def pinned(self, container: str) -> list[int]:
        """Return which deployments of a container are pinned; their commits are not looked at."""
        return [serial for name, serial in self.pin_names() if name == container]

    def pins(self) -> dict[tuple[str, int], str]:
        """Return the commits that we have pinned by container and serial."""
        found = self._refs.names(self._pins, levels=2)
        return {refs.parse_pin(ref): self._commit_of(ref) for ref in found}

    def readable_pins(self) -> dict[tuple[str, int], str]:
        """Return the same without those that are damaged."""
        found = {pin: self.read_ref(self.pin_ref(*pin)) for pin in self.pin_names()}
        return {pin: commit for pin, commit in found.items() if commit}

    def others_pins(self) -> dict[str, str]:
        """Return the commits that other states have pinned in this repo, by ref."""
        others = (ref for ref in self._all_pins() if not ref.startswith(f"{self._pins}/"))
        found = {ref: self.read_ref(ref) for ref in others}
        return {ref: commit for ref, commit in found.items() if commit}

    def _all_pins(self) -> list[str]:
        """Return the refs among which are the pins, those of other states too."""
        return [ref for top, levels in refs.ALL_PINS.items() for ref in self._refs.names(top, levels=levels)]

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether a layer or image config is here: its ref, its commit and its topmost directory."""
        try:
            commit = self._refs.read(refs.blob_ref(digest.hex))
            return commit is not None and has_tree(self.path, self._tree_of(commit)[0])
        except BrokenError:
            return False

    def find_layer_tree(self, layer: Layer) -> Directory | None:
        """Return the tree of a layer, None unless all of it is here; ImageError for another diff_id."""
        if not self.has_blob(layer.digest):
            return None
        diff_id = self.blob_metadata(layer.digest, LAYER_DIFF_ID)
        if diff_id != layer.diff_id:
            raise ImageError(f"layer {layer.digest} has the diff_id {diff_id}, not {layer.diff_id}")
        return self._find_tree(self._commit_of(refs.blob_ref(layer.digest.hex)))

    def whole_tree(self, commit: str) -> Directory:
        """Return the tree of a commit. Raises BrokenError when an object of it is missing."""
        return read_whole_tree(self.path, *self._tree_of(commit))

    def find_content(self, commit: str, path: str) -> Path | None:
        """Return where the content of a file of a commit is, None without it; it must not be written to."""
        return find_content(self.path, self._tree_of(commit)[0], PurePosixPath(path))

    def is_whole(self, commit: str) -> bool:
        """Tell whether a commit and all its objects are here; their content is not looked at."""
        return self._find_tree(commit) is not None

    def tree(self, commit: str) -> Directory:
        """Return the tree of a commit. Raises BrokenError when the commit or a dirtree is damaged."""
        return read_tree(self.path, *self._tree_of(commit))

    def blob_metadata(self, digest: Digest, key: str) -> str | None:
        """Return one fact that was recorded with a layer or image config."""
        return self.metadata(self._commit_of(refs.blob_ref(digest.hex)), key)

    def layers(self) -> list[StoredLayer]:
        """Return all layers by digest."""
        found = map(self._layer, filter(refs.is_blob_ref, self._refs.names(refs.IMAGES)))
        return [layer for layer in found if layer]

    def _layer(self, ref: str) -> StoredLayer | None:
        """Return the layer of a blob's ref, None for an image config."""
        metadata = self._commit(self._commit_of(ref)).metadata
        unpacked = metadata.get(LAYER_UNPACKED_SIZE)
        if unpacked is None:
            return None
        digest = Digest.parse(f"sha256:{ref.rpartition('/')[2]}")
        return StoredLayer(digest, int(metadata.get(BLOB_SIZE) or 0), int(unpacked))

    def find_layer(self, digest: Digest) -> StoredLayer | None:
        """Return a layer, None when it is not here or is damaged."""
        try:
            return self._layer(refs.blob_ref(digest.hex))
        except BrokenError:
            return None

    def image_commits(self, image: StoredImage) -> list[str]:
        """Return the commits that make an image: the merged one, and those of its blobs that are here."""
        blobs = (
            image.parsed_manifest().config_digest,
            *(one.digest for one in image.parsed_manifest().layers),
        )
        found = (self.read_ref(refs.blob_ref(digest.hex)) for digest in dict.fromkeys(blobs))
        return [image.commit, *(commit for commit in found if commit)]

    def image_problem(self, ref: str) -> str | None:
        """Return what is wrong with the image of a ref, None when it and all its blobs are here.

        One that a predecessor pulled is in order as it is: it has no merged tree, and is pulled when needed.
        """
        try:
            if CONFIG not in self._commit(self._commit_of(ref)).metadata:
                return None
            image = self._stored_image(ref)
            blobs = [layer.digest for layer in image.layers()]
            lost = [one for one in (*blobs, image.parsed_manifest().config_digest) if not self.has_blob(one)]
        except (BrokenError, ImageError, ValueError) as error:
            return str(error)
        if lost:
            return f"the blob {lost[0]} is missing"
        return None if self.is_whole(image.commit) else f"objects of its commit {image.commit} are missing"

    def metadata(self, commit: str, key: str) -> str | None:
        """Return one text of a commit's metadata, None when it has no such."""
        return self._commit(commit).metadata.get(key)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Take objects, commits and refs; they are there, durably, when the block ends without an error."""
        try:
            with self.libostree.shared_lock(), object_stage(self.path, self.mode) as objects:
                with self.libostree.transaction():
                    transaction = Transaction(self.libostree, objects)
                    yield transaction
                    objects.publish()
                self._refs.write(transaction.refs)
        except OSError as error:
            raise write_fault(self.path, error) from error

    def scratch(self) -> contextlib.AbstractContextManager[Scratch]:
        """Give a directory for what is unpacked on its way into the repo; it goes in the end."""
        return repo_scratch(self.path)

    def free_space(self) -> FreeSpace:
        """Return what watches over the space that the repo's configuration keeps free."""
        return FreeSpace(self.path, self.libostree.reserve())

    def prune(self) -> Pruned:
        """Remove the blobs that no image and no pin needs, then the objects that no ref needs.

        Nobody else may be changing the repo meanwhile. Raises BrokenError, and removes nothing, when an image
        or a pin is damaged.
        """
        unneeded = self._unneeded_refs()
        kept = self._refs.commits_but(unneeded)
        images, layers = self._lost_images(kept), self._layers_of(unneeded)
        self._refs.remove(unneeded)
        objects, size = self.libostree.prune()
        remove_stale_stages(self.path)
        self._refs.remove_leftovers()
        return Pruned(tuple(unneeded), objects, size, images, layers)

    def would_prune(self, *, without: Collection[tuple[str, int]] = ()) -> Pruned:
        """Return what prune would remove were there not these pins; reads the trees of all images."""
        pins = {self.pin_ref(*pin) for pin in without}
        unneeded = self._unneeded_refs(pins)
        kept = self._refs.commits_but({*unneeded, *pins})
        _, others = self._refs.commits_by_owner(refs.OURS)
        needed = reachable(self.path, kept - others) | known(self.path, with_parents(self.path, others))
        lost = object_sizes(self.path, all_objects(self.path) - needed)
        images, layers = self._lost_images(kept), self._layers_of(unneeded)
        return Pruned(tuple(unneeded), len(lost), sum(lost.values()), images, layers)

    def damaged_objects(self) -> Iterator[str]:
        """Yield the objects that are not what their names say, as CHECKSUM.KIND.

        Where others may keep something, too, only those that we need: of theirs we do not know what is right,
        as the labels of the host's own files count in their names.
        """
        ours, others = self._refs.commits_by_owner(refs.OURS)
        among = known(self.path, ours) if others or self._is_shared else None
        yield from damaged_objects(self.path, self.mode, among)

    def others_objects(self) -> set[str]:
        """Return the objects that others need; raises BrokenError when that cannot be told."""
        _, others = self._refs.commits_by_owner(refs.OURS)
        try:
            return reachable_for_others(self.path, others)
        except BrokenError as error:
            raise BrokenError(
                f"what others need in {self.path} cannot be told: {error.message}",
                hint=f"ostree fsck --repo={self.path} tells what is damaged there",
            ) from error

    def _unneeded_refs(self, without: Collection[str] = ()) -> list[str]:
        needed = self._needed_refs(without)
        return [ref for ref in self._refs.names(refs.IMAGES) if refs.is_blob_ref(ref) and ref not in needed]

    def _layers_of(self, blob_refs: list[str]) -> tuple[StoredLayer, ...]:
        found = (self.find_layer(Digest(f"sha256:{ref.rpartition('/')[2]}")) for ref in blob_refs)
        return tuple(layer for layer in found if layer)

    def _lost_images(self, kept: set[str]) -> tuple[Digest, ...]:
        """Return the images of merged commits that are not kept."""
        here = {name.removesuffix(".commit") for name in all_objects(self.path) if name.endswith(".commit")}
        lost = []
        for commit in sorted(here.difference(kept)):
            with contextlib.suppress(BrokenError, ImageError):
                lost.append(self.stored_commit("", commit).digest)
        return tuple(dict.fromkeys(lost))

    def _needed_refs(self, without: Collection[str]) -> set[str]:
        # Every image and pin must be readable: what a damaged one needs is not known, so nothing may go.
        pins = [ref for ref in self._all_pins() if ref not in without and refs.parse_pin(ref)]
        commits = {self._commit_of(ref) for ref in (*self.image_refs(), *pins)}
        manifests = [
            parse_stored_manifest(_required(self._commit(commit).metadata, MANIFEST, commit).encode())
            for commit in commits
        ]
        digests = {layer.digest for manifest in manifests for layer in manifest.layers}
        digests |= {manifest.config_digest for manifest in manifests}
        return {refs.blob_ref(digest.hex) for digest in digests}

    def _stored_image(self, ref: str) -> StoredImage:
        stored = self.stored_commit(refs.image_name(ref), self._commit_of(ref))
        return replace(stored, pulled=self._refs.written(ref))

    def stored_commit(self, name: str, commit: str) -> StoredImage:
        """Return the image of a merged commit, which need not have that name any more."""
        metadata = self._commit(commit).metadata
        return StoredImage(
            name=name,
            commit=commit,
            digest=Digest.parse(_required(metadata, DIGEST, commit)),
            manifest=_required(metadata, MANIFEST, commit).encode(),
            config=_required(metadata, CONFIG, commit).encode(),
            size=int(_required(metadata, SIZE, commit)),
        )

    def _write_refs(self, wanted: Mapping[str, str]) -> None:
        try:
            self._refs.write(wanted)
        except OSError as error:
            raise write_fault(self.path, error) from error

    def _commit_of(self, ref: str) -> str:
        commit = self._refs.read(ref)
        if commit is None:
            raise BrokenError(f"the ref {ref} is missing", hint="pull the image again")
        return commit

    def _find_tree(self, commit: str) -> Directory | None:
        try:
            return self.whole_tree(commit)
        except BrokenError:
            return None

    def _tree_of(self, commit: str) -> tuple[str, str]:
        found = self._commit(commit)
        return found.dirtree, found.dirmeta

    def _commit(self, commit: str) -> Commit:
        return read_commit(self.path, commit)


def _required(metadata: Mapping[str, str], key: str, commit: str) -> str:
    if key not in metadata:
        raise BrokenError(f"commit {commit} has no {key}", hint="pull the image again")
    return metadata[key]
