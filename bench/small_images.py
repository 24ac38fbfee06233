"""Made-up images: a hundred small ones for a store that holds many, and larger ones that grow.

CACHE/images/many-KEY/          an oci: layout with the tags image-0, image-1, ...
CACHE/images/growth-NAME-KEY/   one image, as big_image.py saves it
"""

import io
import random
import shutil
import tarfile
from pathlib import Path

from bench.big_image import Image, load_image, save_image
from testhost.layout import Layer, add_layer, add_manifest, write_index
from testhost.roots import cached_tree, key_of
from testhost.storage import cache_directory

IMAGES = 100
LAYERS = 10
FILES = 20
_FILE_BYTES = 2000
_PER_DIRECTORY = 100
# Raise it when what is in them changes.
_RECIPE = "1"


def many_images() -> Path:
    """Return a layout of a hundred images of ten layers; no two layers are the same."""
    name = f"many-{key_of(_RECIPE, str((IMAGES, LAYERS, FILES, _FILE_BYTES)))}"
    return cached_tree(cache_directory() / "images", name, _make_many)


def tag_of(number: int) -> str:
    """Return the tag of one of the many images."""
    return f"image-{number}"


def growing_image(files: int, file_bytes: int) -> Image:
    """Return an image of one layer with so many files of a size."""
    name = f"growth-{files}x{file_bytes}-{key_of(_RECIPE)}"
    return load_image(
        cached_tree(
            cache_directory() / "images", name, lambda target: _make_growing(target, files, file_bytes)
        )
    )


def _make_many(target: Path) -> None:
    (target / "blobs/sha256").mkdir(parents=True)
    images = []
    for image in range(IMAGES):
        layers = [_layer(target, f"{image}-{layer}") for layer in range(LAYERS)]
        images.append(add_manifest(target, tag_of(image), layers, {"Labels": {"number": str(image)}}))
    write_index(target, images)


def _layer(target: Path, name: str) -> Layer:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add_files(archive, f"srv/{name}", FILES, _FILE_BYTES)
    return add_layer(target, buffer.getvalue())


def _make_growing(target: Path, files: int, file_bytes: int) -> None:
    archive = target / "archives/1.tar"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as opened:
        _add_files(opened, "srv/files", files, file_bytes)
    save_image(target, [archive], level=1)
    shutil.rmtree(archive.parent)


def _add_files(archive: tarfile.TarFile, directory: str, files: int, file_bytes: int) -> None:
    # hexadecimal digits shrink to about a half, as most files do
    source = random.Random(directory)  # noqa: S311 - not a secret
    for number in range(files):
        place = f"{directory}/{number // _PER_DIRECTORY}"
        if number % _PER_DIRECTORY == 0:
            member = tarfile.TarInfo(place)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        member = tarfile.TarInfo(f"{place}/{number}")
        member.size = file_bytes
        archive.addfile(member, io.BytesIO(source.randbytes(file_bytes // 2).hex().encode()))
