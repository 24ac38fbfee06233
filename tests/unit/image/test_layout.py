"""Blobs of an OCI layout, read where they are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from os_containers.errors import ImageError
from os_containers.image.layout import find_blob
from os_containers.image.manifest import Digest
from os_containers.image.reference import ImageReference

CONTENT = b"content of a blob"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "layout/blobs/sha256" / DIGEST.hex
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "reference",
    ["oci:{0}/layout", "oci:{0}/layout/", "oci:{0}/layout:tag", "oci:{0}/layout:name@0", "oci:layout"],
)
def test_a_blob_of_a_layout_is_found(
    tmp_path: Path, blob: Path, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the layout is written."""
    monkeypatch.chdir(tmp_path)
    found = find_blob(ImageReference.parse(reference.format(tmp_path)), DIGEST, len(CONTENT))
    assert found
    with found:
        assert (found.read(7), found.read(), found.read()) == (b"content", CONTENT[7:], b"")
    assert blob.read_bytes() == CONTENT


def test_a_link_to_a_blob_is_followed(tmp_path: Path, blob: Path) -> None:
    """As skopeo does; the digest tells what it is."""
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    found = find_blob(ImageReference.parse(f"oci:{tmp_path}/layout"), DIGEST, len(CONTENT))
    assert found
    with found:
        assert found.read() == CONTENT


@pytest.mark.parametrize(
    "reference", ["oci-archive:{0}/layout", "dir:{0}/layout", "docker://localhost/layout"]
)
def test_other_images_are_not_for_us(tmp_path: Path, blob: Path, reference: str) -> None:
    """They have their blobs elsewhere."""
    assert blob.exists()
    assert find_blob(ImageReference.parse(reference.format(tmp_path)), DIGEST, len(CONTENT)) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="missing"),
        pytest.param(lambda blob: blob.write_bytes(CONTENT + b"x"), id="longer"),
        pytest.param(lambda blob: os.truncate(blob, 3), id="shorter"),
    ],
)
def test_b4_what_is_wrong_with_a_blob_is_for_skopeo_to_tell(
    tmp_path: Path, blob: Path, damage: Callable[[Path], object]
) -> None:
    damage(blob)
    assert find_blob(ImageReference.parse(f"oci:{tmp_path}/layout"), DIGEST, len(CONTENT)) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_b60_what_is_no_file_is_refused_at_once(
    tmp_path: Path, blob: Path, make: Callable[[Path], None]
) -> None:
    """Nobody waits for somebody to write into it (CVE-2024-9676)."""
    blob.unlink()
    make(blob)
    with pytest.raises(ImageError, match="is not a regular file"):
        find_blob(ImageReference.parse(f"oci:{tmp_path}/layout"), DIGEST, len(CONTENT))


def test_a_blob_that_grows_ends_where_it_should(tmp_path: Path, blob: Path) -> None:
    """No more is read than the manifest declares."""
    found = find_blob(ImageReference.parse(f"oci:{tmp_path}/layout"), DIGEST, len(CONTENT))
    assert found
    with found, blob.open("ab") as file:
        file.write(bytes(1 << 20))
        file.flush()
        assert found.read() == CONTENT
        assert found.read() == b""
