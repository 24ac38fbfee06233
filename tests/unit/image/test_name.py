"""The name under which an image is kept: the one that it brings along, else that of its file."""

import json
import tarfile
from pathlib import Path

import pytest
from images import build_image, build_layer, compress

from os_containers.errors import ImageError, NotFoundError, UsageError
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference


def name_of(text: str) -> str:
    return store_name(ImageReference.parse(text))


def pack(directory: Path) -> Path:
    """Return a tar of a directory's content."""
    archive = directory.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(directory, arcname=".", recursive=True)
    return archive


def test_a_registry_names_its_images() -> None:
    """The reference is the name."""
    assert name_of("docker://etcd") == "docker.io/library/etcd:latest"


@pytest.mark.parametrize(
    ("annotation", "suffix", "name"),
    [
        ("quay.io/coreos/etcd:v3.5", "", "quay.io/coreos/etcd:v3.5"),
        ("3.5", "", "localhost/etcd:3.5"),
        (None, "", "localhost/etcd:latest"),
        ("3.5", ":3.5", "localhost/etcd:3.5"),
    ],
)
def test_an_oci_layout_names_its_image(
    tmp_path: Path, annotation: str | None, suffix: str, name: str
) -> None:
    """A bare tag, or no annotation, makes a name of the directory."""
    layout = build_image(tmp_path / "etcd", {"/a": "1"}, name=annotation)
    assert name_of(f"oci:{layout}{suffix}") == name


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_oci_archive_names_its_image(tmp_path: Path, compression: str) -> None:
    """The archive is read without being unpacked, and may be compressed."""
    archive = pack(build_image(tmp_path / "etcd", {"/a": "1"}, name="quay.io/etcd:1"))
    archive.write_bytes(compress(archive.read_bytes(), compression))
    assert name_of(f"oci-archive:{archive}") == "quay.io/etcd:1"


def test_b1_the_index_of_an_archive_is_bounded(tmp_path: Path) -> None:
    """The size is known before it is read."""
    archive = tmp_path / "x.tar"
    archive.write_bytes(build_layer({"index.json": " " * 5_000_000}))
    with pytest.raises(ImageError, match="larger than 4194304 bytes"):
        name_of(f"oci-archive:{archive}")
    archive.write_bytes(build_layer({"index.json": '{"manifests": []}'.ljust(4 << 20)}))
    assert name_of(f"oci-archive:{archive}") == "localhost/x:latest"


@pytest.mark.parametrize(
    ("tags", "suffix", "name"),
    [
        (["quay.io/etcd:1", "quay.io/etcd:2"], "", "quay.io/etcd:1"),
        (["quay.io/etcd:1", "quay.io/etcd:2"], ":quay.io/etcd:2", "quay.io/etcd:2"),
        (None, "", "localhost/my-etcd:latest"),
    ],
)
def test_a_docker_archive_names_its_image(
    tmp_path: Path, tags: list[str] | None, suffix: str, name: str
) -> None:
    """The first of RepoTags, or the one asked for."""
    directory = tmp_path / "My_etcd"
    directory.mkdir()
    (directory / "manifest.json").write_text(json.dumps([{"Config": "c.json", "RepoTags": tags}]))
    archive = tmp_path / "My_etcd.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(directory / "manifest.json", arcname="manifest.json")
    assert name_of(f"docker-archive:{archive}{suffix}") == name


def test_a_directory_of_blobs_has_no_name_inside() -> None:
    """dir: keeps none, so that the directory's name is all there is."""
    assert name_of("dir:/srv/My Etcd") == "localhost/my-etcd:latest"


@pytest.mark.parametrize("index", ["", "null", "[]", '{"manifests": 1}', "[" * 100_000, " " * 5_000_000])
def test_b1_a_malformed_index_is_refused(tmp_path: Path, index: str) -> None:
    """An index is as foreign as a manifest."""
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(ImageError):
        name_of(f"oci:{tmp_path}")


def test_what_is_not_there_has_no_name(tmp_path: Path) -> None:
    """A missing path is said to be missing."""
    for transport in ("oci", "oci-archive", "docker-archive"):
        with pytest.raises(NotFoundError):
            name_of(f"{transport}:{tmp_path}/missing")


def test_a_name_that_is_none_asks_for_another(tmp_path: Path) -> None:
    """The user can give one where the image has nonsense."""
    layout = build_image(tmp_path / "x", {"/a": "1"}, name="not a name")
    with pytest.raises(UsageError) as caught:
        name_of(f"oci:{layout}")
    assert caught.value.hint == "give one with --name-image"


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    """Garbage is not unpacked."""
    archive = tmp_path / "x.tar"
    archive.write_bytes(b"garbage" * 1000)
    for transport in ("oci-archive", "docker-archive"):
        with pytest.raises(ImageError, match="not an image archive: it is not a tar archive"):
            name_of(f"{transport}:{archive}")


def test_a_directory_that_is_no_layout_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"is not an OCI layout: there is no .*/index\.json"):
        name_of(f"oci:{tmp_path}")
