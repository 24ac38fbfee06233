"""Manifests and image configs that lie: refused by name, before anything is fetched; the store is as before.

Each change is made to an image that would be fine without it.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from images import FakeSource, RawImage, build_layer, raw_image
from imports import import_raw

from os_containers.errors import ImageError
from os_containers.image.limits import Limits, MiB
from os_containers.image.manifest import Digest
from os_containers.ostree.pruning import prune_repo
from os_containers.ostree.repo import Repo

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
TRAVERSAL = "sha256:../../../../etc/passwd"


def snapshot(repo: Repo) -> dict[str, bytes]:
    """Return all files of the repo by path, its directory of temporary files left out."""
    return {
        str(path.relative_to(repo.path)): path.read_bytes()
        for path in repo.path.rglob("*")
        if path.is_file() and "tmp" not in path.parts
    }


def manifest(change: Callable[[Any], object]) -> Callable[[RawImage], RawImage]:
    """Return what changes the manifest of an image."""

    def changed(image: RawImage) -> RawImage:
        document = json.loads(image.manifest)
        change(document)
        return replace(image, manifest=json.dumps(document).encode())

    return changed


def raw(content: bytes) -> Callable[[RawImage], RawImage]:
    return lambda image: replace(image, manifest=content)


def config(change: Callable[[Any], object]) -> Callable[[RawImage], RawImage]:
    """Return what changes the image config, and names the new one in the manifest."""

    def changed(image: RawImage) -> RawImage:
        document = json.loads(image.config)
        change(document)
        written = json.dumps(document).encode()
        described = {"digest": Digest.of(written), "size": len(written)}
        return manifest(lambda one: one["config"].update(described))(replace(image, config=written))

    return changed


def layer(**fields: object) -> Callable[[RawImage], RawImage]:
    return manifest(lambda one: one["layers"][0].update(fields))


def blob(change: Callable[[bytes], bytes]) -> Callable[[RawImage], RawImage]:
    """Return what changes the bytes of a layer, and tells the truth about them in the manifest."""

    def changed(image: RawImage) -> RawImage:
        ((_, data),) = image.source.blobs.items()
        digest, size = Digest.of(change(data)), len(change(data))
        return layer(digest=digest, size=size)(replace(image, source=FakeSource({digest: change(data)})))

    return changed


HOSTILE: dict[str, tuple[Callable[[RawImage], RawImage], str]] = {
    "b1-empty": (raw(b""), "the manifest is malformed"),
    "b1-not-json": (raw(b"hello"), "the manifest is malformed"),
    "b1-null": (raw(b"null"), "the manifest is malformed"),
    "b1-list": (raw(b"[]"), "the manifest is malformed"),
    "b1-cve_2020_1702-huge": (raw(b" " * (4 * MiB) + b"{}"), "is larger than 4194304 bytes"),
    "b1-deep": (raw(b"[" * 100_000), "nested deeper than 100"),
    "b1-not-utf8-where-nobody-looks": (
        lambda image: replace(image, manifest=image.manifest[:-1] + b', "x": "\xff"}'),
        "the manifest is malformed",
    ),
    "b1-config-deep": (config(lambda one: one.update(x=json.loads("[" * 101 + "]" * 101))), "nested deeper"),
    "b2-cve_2024_3727-cve_2014_9358-traversal": (layer(digest=TRAVERSAL), "not a sha256 digest"),
    "b2-cve_2024_3727-no-digits": (layer(digest="sha256"), "not a sha256 digest"),
    "b2-cve_2024_3727-other-letters": (layer(digest=f"sha256:{'z' * 64}"), "not a sha256 digest"),
    "b2-cve_2021_21285-other-algorithm": (layer(digest=f"md5:{'0' * 32}"), "not a sha256 digest"),
    "b2-uppercase": (layer(digest=f"sha256:{'A' * 64}"), "not a sha256 digest"),
    "b2-63-digits": (layer(digest=f"sha256:{'a' * 63}"), "not a sha256 digest"),
    "b2-cve_2014_9358-config-traversal": (
        manifest(lambda one: one["config"].update(digest=TRAVERSAL)),
        "not a sha256 digest",
    ),
    "b2-cve_2014_9358-diff-id-traversal": (
        config(lambda one: one["rootfs"].update(diff_ids=[TRAVERSAL])),
        "not a sha256 digest",
    ),
    "b3-config-of-another-image": (lambda image: replace(image, config=image.config + b" "), "digest"),
    "b5-negative": (layer(size=-1), "has the invalid size -1"),
    "b5-float": (layer(size=1.5), "has the invalid size 1.5"),
    "b5-string": (layer(size="9"), "malformed"),
    "b5-missing": (manifest(lambda one: one["layers"][0].pop("size")), "missing required field `size`"),
    "b5-2^63": (layer(size=2**63), "has the invalid size 9223372036854775808"),
    "b6-more-layers": (manifest(lambda one: one["layers"].append(one["layers"][0])), "has 2 layers"),
    "b6-more-diff-ids": (
        config(lambda one: one["rootfs"]["diff_ids"].append(one["rootfs"]["diff_ids"][0])),
        "the image config 2",
    ),
    "b6-other-diff-id": (
        config(lambda one: one["rootfs"].update(diff_ids=[Digest.of(b"x")])),
        "does not unpack to",
    ),
    "b7-schema-1": (manifest(lambda one: one.update(schemaVersion=1)), "schema 1, which is not supported"),
    "b7-half-schema-1": (manifest(lambda one: one.update(fsLayers=[])), "not supported"),
    "b8-cve_2021_41190-index-too": (manifest(lambda one: one.update(manifests=[])), "to be an index as well"),
    "b8-cve_2021_41190-by-media-type": (
        manifest(lambda one: one.update(mediaType="application/vnd.oci.image.index.v1+json")),
        "not the manifest of an image",
    ),
    "b8-cve_2021_41190-schema-1-too": (manifest(lambda one: one.update(fsLayers=[{}])), "not supported"),
    "b9-index": (raw(b'{"schemaVersion": 2, "manifests": []}'), "found an image index where"),
    "b10-cve_2020_15157-urls": (layer(urls=["https://example.com/x"]), "fetched from elsewhere"),
    "b10-foreign": (
        layer(mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        "fetched from elsewhere",
    ),
    "b10-nondistributable": (
        layer(mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        "fetched from elsewhere",
    ),
    "b11-unknown-layer": (layer(mediaType="application/x-tar"), "are not supported"),
    "b11-encrypted": (layer(mediaType=f"{LAYER}+encrypted"), "is encrypted"),
    "b11-mislabelled": (layer(mediaType=LAYER.replace("gzip", "zstd")), "but its compression is gzip"),
    "b11-artifact": (
        manifest(lambda one: one["config"].update(mediaType="application/vnd.oci.empty.v1+json")),
        "an artifact, not an image",
    ),
    "b14-junk-behind-gzip": (blob(lambda data: data + b"junk"), "gzip stream"),
    "b14-junk-behind-zeros": (blob(lambda data: data + bytes(100) + b"junk"), "gzip stream"),
    "b14-half-a-member": (blob(lambda data: data + gzip.compress(b"")[:-1]), "gzip stream is truncated"),
    "b14-another-member": (blob(lambda data: data + data), "after the end of the tar archive"),
    "b12-501-layers": (
        manifest(lambda one: one.update(layers=one["layers"] * 501)),
        "has 501 layers, more than 500",
    ),
}


@pytest.mark.parametrize("change", HOSTILE)
def test_an_image_that_lies_leaves_the_one_before_it(repo: Repo, change: str) -> None:
    """Its name still means that one, and no object, ref or path was made of it."""
    import_raw(repo, raw_image(build_layer({"/version": "1"})))
    before = snapshot(repo)
    make, said = HOSTILE[change]
    image = make(raw_image(build_layer({"/version": "2"})))
    with pytest.raises(ImageError, match=said) as caught:
        import_raw(repo, image)
    assert caught.value.message.isprintable()
    assert snapshot(repo) == before


@pytest.mark.parametrize("field", ["manifest", "config"])
def test_b1_a_document_of_the_largest_size_is_stored(repo: Repo, field: str) -> None:
    """Both may have 4 MiB at once; OSTree keeps them in a commit, which has a limit of its own."""
    image = raw_image(build_layer({"/version": "1"}))
    other = replace(image, config=image.config + b" " * (4 * MiB - len(image.config)))
    described = {"digest": Digest.of(other.config), "size": len(other.config)}
    large = manifest(lambda one: one["config"].update(described))(other)
    large = replace(large, manifest=large.manifest + b" " * (4 * MiB - len(large.manifest)))
    assert import_raw(repo, large).manifest == large.manifest
    assert repo.image("image").config == large.config
    assert prune_repo(repo).objects == 0
    too_large = replace(large, **{field: getattr(large, field) + b" "})
    with pytest.raises(ImageError, match="is larger than 4194304 bytes"):
        import_raw(repo, too_large)


@pytest.mark.parametrize(
    ("limits", "below", "above"),
    [
        pytest.param("layers", 2, 1, id="b12-layers"),
        pytest.param("json_depth", 4, 2, id="b1-depth"),
        pytest.param("entries", 2, 1, id="b46-entries"),
        pytest.param("path", 10, 9, id="b38-path"),
        pytest.param("component", 6, 5, id="b38-component"),
        pytest.param("layer_size", 10240, 10239, id="b13-layer-size"),
    ],
)
def test_b12_limits_that_were_set_hold_for_an_import(repo: Repo, limits: str, below: int, above: int) -> None:
    """One less is too little; an image that is here stays, whatever the limits become."""
    image = raw_image(build_layer({"/etc/config": "1", "/b": "2"}), build_layer({"/c": "3"}))
    with pytest.raises(ImageError):
        import_raw(repo, image, limits=Limits(**{limits: above}))  # type: ignore[arg-type]
    stored = import_raw(repo, image, limits=Limits(**{limits: below}))  # type: ignore[arg-type]
    assert len(repo.image("image").layers()) == 2
    assert stored.image_config().os == "linux"
    prune_repo(repo)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_b11_every_compression_that_is_known_is_read(repo: Repo, compression: str) -> None:
    """Under its own media type."""
    assert import_raw(repo, raw_image(build_layer({"/a": "12345"}), compression=compression)).size == 5


@pytest.mark.parametrize(
    "change", [lambda data: data + bytes(100), lambda data: data + gzip.compress(b"", mtime=0)]
)
def test_b14_trailing_zeros_and_empty_members_belong_to_the_layer(
    repo: Repo, change: Callable[[bytes], bytes]
) -> None:
    """The digest is over all of the blob."""
    image = raw_image(build_layer({"/a": "12345"}))
    (stored,) = import_raw(repo, blob(change)(image)).layers()
    assert stored.digest == Digest.of(change(next(iter(image.source.blobs.values()))))


def test_b15_layers_of_nothing_are_layers(repo: Repo) -> None:
    """No bytes at all, one block and two blocks of zeros."""
    image = import_raw(repo, raw_image(b"", bytes(512), bytes(1024)))
    assert (image.size, len(image.layers())) == (0, 3)


def test_b94_a_layer_whose_ref_is_gone_is_fetched_again(repo: Repo) -> None:
    """The image itself is whole without it, and prune goes on."""
    image = raw_image(build_layer({"/version": "1"}))
    (found,) = import_raw(repo, image).layers()
    ref = repo.path / "refs/heads/ociimage" / found.digest.hex
    ref.unlink()
    assert [one.name for one in repo.images()] == ["image"]
    prune_repo(repo)
    assert not repo.has_blob(found.digest)
    import_raw(repo, image)
    assert ref.exists()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_b4_nothing_behind_the_declared_size_is_read(repo: Repo, tmp_path: Path, compression: str) -> None:
    """A blob that goes on for ever ends at its size and one byte."""
    image = raw_image(build_layer({"/a": "1"}), compression=compression)
    ((digest, blob),) = image.source.blobs.items()
    endless = tmp_path / "endless"
    endless.write_bytes(blob + bytes(8 * MiB))
    forever = replace(image, source=FakeSource({digest: endless.read_bytes()}))
    with pytest.raises(ImageError, match=f"larger than {len(blob)} bytes"):
        import_raw(repo, forever)
    assert repo.images() == []
