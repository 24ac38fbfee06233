"""The OSTree repo: images, blobs and pins, as refs.py names them.

A blob is a layer or an image config, one commit each. An image is one merged commit: its layers on top of
each other.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from os_containers.errors import BrokenError, ImageError, NotFoundError
from os_containers.image.manifest import Digest, Layer, Manifest
from os_containers.ostree import refs
from os_containers.ostree.creation import require_repo, without_repo
from os_containers.ostree.free_space import FreeSpace, write_fault
from os_containers.ostree.object_stage import object_stage, repo_scratch
from os_containers.ostree.objects import find_content, has_tree, read_commit, read_tree, read_whole_tree
from os_containers.ostree.pins import Pins
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


class Repo:
    """What we keep, of all images and for all containers.

    It is shared when it is not in our state: others may have in it even what no ref needs yet.
    """

    def __init__(self, path: Path, mode: Mode, *, pins: str = refs.PINS) -> None:
        self.path = path
        self.mode = mode
        self.refs = RefFiles(path)
        self.pins = Pins(self.refs, pins)
        self.is_shared = pins != refs.PINS

    @classmethod
    def open(cls, path: Path, mode: Mode, *, pins: str = refs.PINS, chosen_by: str = "") -> "Repo":
        """Return the repo at path, created when there is none; pins is beneath which name ours are.

        chosen_by is who says that it is there, for who has to name another one.
        """
        require_repo(path, mode, chosen_by=chosen_by)
        return cls(path, mode, pins=pins)

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
        return [ref for ref in self.refs.names(refs.IMAGES) if not refs.is_blob_ref(ref)]

    def find_image(self, name: str) -> StoredImage | None:
        """Return the image of that name, None without one; raises BrokenError when it is damaged."""
        ref = refs.image_ref(name)
        return self._stored_image(ref) if self.refs.read(ref) else None

    def image(self, name: str) -> StoredImage:
        """Return the image of that name."""
        found = self.find_image(name)
        if found is None:
            raise NotFoundError(f"no image named {name}", hint="os-containers images list shows them")
        return found

    def set_image(self, name: str, commit: str) -> None:
        """Let a name mean this merged commit, durably."""
        self.refs.write({refs.image_ref(name): commit})

    def delete_image(self, name: str) -> None:
        """Forget a name; what only it needed goes with the next prune."""
        ref = refs.image_ref(name)
        if ref not in self.image_refs():
            raise NotFoundError(f"no image named {name}", hint="os-containers images list shows them")
        self.refs.remove([ref])

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether a layer or image config is here: its ref, its commit and its topmost directory."""
        try:
            commit = self.refs.read(refs.blob_ref(digest.hex))
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
        return self._find_tree(self.refs.require(refs.blob_ref(layer.digest.hex)))

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
        return self.metadata(self.refs.require(refs.blob_ref(digest.hex)), key)

    def layers(self) -> list[StoredLayer]:
        """Return all layers by digest."""
        found = map(self._layer, filter(refs.is_blob_ref, self.refs.names(refs.IMAGES)))
        return [layer for layer in found if layer]

    def _layer(self, ref: str) -> StoredLayer | None:
        """Return the layer of a blob's ref, None for an image config."""
        metadata = self._commit(self.refs.require(ref)).metadata
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
        found = (self.refs.find(refs.blob_ref(digest.hex)) for digest in dict.fromkeys(blobs))
        return [image.commit, *(commit for commit in found if commit)]

    def image_problem(self, ref: str) -> str | None:
        """Return what is wrong with the image of a ref, None when it and all its blobs are here.

        One that a predecessor pulled is in order as it is: it has no merged tree, and is pulled when needed.
        """
        try:
            if CONFIG not in self._commit(self.refs.require(ref)).metadata:
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
                self.refs.write(transaction.refs)
        except OSError as error:
            raise write_fault(self.path, error) from error

    def scratch(self) -> contextlib.AbstractContextManager[Scratch]:
        """Give a directory for what is unpacked on its way into the repo; it goes in the end."""
        return repo_scratch(self.path)

    def free_space(self) -> FreeSpace:
        """Return what watches over the space that the repo's configuration keeps free."""
        return FreeSpace(self.path, self.libostree.reserve())

    def manifest(self, commit: str) -> Manifest:
        """Return the manifest of a merged commit. Raises BrokenError when there is none in it."""
        return parse_stored_manifest(_required(self._commit(commit).metadata, MANIFEST, commit).encode())

    def _stored_image(self, ref: str) -> StoredImage:
        stored = self.stored_commit(refs.image_name(ref), self.refs.require(ref))
        return replace(stored, pulled=self.refs.written(ref))

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
