"""The images in the store as they are listed, and what of them is chosen."""

import pytest

from os_containers.cli.filters import filtered
from os_containers.cli.listed_images import TESTS, image_json, image_row
from os_containers.cli.render import short_id
from os_containers.errors import UsageError
from os_containers.image.manifest import Digest
from os_containers.operations.image_use import Use
from os_containers.operations.images import ListedImage
from os_containers.ostree.sizes import Sizes
from os_containers.ostree.stored_image import StoredImage

CONFIG = b"""{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
 "config": {"Labels": {"tier": "%s", "odd": 5}}}"""


def listed(name: str, digit: str, label: str, *uses: Use) -> ListedImage:
    digest = Digest(f"sha256:{digit * 64}")
    image = StoredImage(name, digit * 64, digest, b"", CONFIG % label.encode(), 2_000_000)
    return ListedImage(image, Sizes(own=1000, shared=1_999_000), uses)


IMAGES = [
    listed("quay.io/org/etcd:3.5", "a", "data", Use("etcd", 2, active=True), Use("etcd", 1, active=False)),
    listed("quay.io/org/web:1", "b", "front", Use("web", 1, active=False)),
    listed("docker.io/library/web:1", "b", "front"),
    listed("", "c", "data", Use("old", 1, active=True)),
]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], "abbc"),
        (["reference=quay.io/*"], "ab"),
        (["name=web"], "bb"),
        (["name=web", "reference=quay.io/*"], "b"),
        (["repo=org/"], "ab"),
        (["tag=1"], "bb"),
        (["id=a", "id=sha256:c"], "ac"),
        (["used=true"], "abc"),
        (["used=no"], "b"),
        (["dangling=true"], "c"),
        (["dangling=false"], "abb"),
        (["container=etcd"], "a"),
        (["label=tier"], "abbc"),
        (["label=tier=data"], "ac"),
        (["label=odd"], ""),
    ],
)
def test_images_are_chosen(filters: list[str], found: str) -> None:
    """By one of the values of each key that is given."""
    chosen = filtered(IMAGES, filters, TESTS)
    assert "".join(one.image.commit[0] for one in chosen) == found


@pytest.mark.parametrize("given", ["used", "used=perhaps", "colour=red", "=x"])
def test_a_filter_that_is_none_is_refused(given: str) -> None:
    """With the keys that there are, or what may be their value."""
    with pytest.raises(UsageError) as caught:
        filtered(IMAGES, [given], TESTS)
    assert caught.value.hint


def test_an_image_is_shown_in_a_row() -> None:
    """With the containers that run on it, and in brackets those that can return to it."""
    rows = [image_row(one, short_id) for one in IMAGES]
    assert rows[0] == ("quay.io/org/etcd", "3.5", "a" * 12, "", "2.00 MB", "1.00 kB", "etcd")
    assert [row[-1] for row in rows] == ["etcd", "(web)", "", "old"]
    assert rows[3][:2] == ("<none>", "<none>")
    assert (image_json(IMAGES[3]).name, image_json(IMAGES[3]).dangling) == (None, True)
