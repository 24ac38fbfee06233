"""Tar archives that are too large for memory, as blobs of an OCI layout."""

import concurrent.futures
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testhost.layout import Layer, add_manifest, write_index

_CONFIG = {"Cmd": ["/bin/bash"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}


def write_image(directory: Path, tag: str, archives: Sequence[Path], *, level: int) -> list[Layer]:
    """Write a layout with one image, its layers zipped at a level of gzip; return them."""
    blobs_of(directory).mkdir(parents=True, exist_ok=True)
    # each in a program of its own
    with concurrent.futures.ThreadPoolExecutor() as pool:
        layers = list(pool.map(lambda archive: zip_layer(directory, archive, level), archives))
    write_index(directory, [add_manifest(directory, tag, layers, _CONFIG)])
    return layers


def zip_layer(directory: Path, archive: Path, level: int) -> Layer:
    """Add a layer to the blobs of a layout."""
    unfinished = blobs_of(directory) / f"{archive.name}.unfinished"
    with unfinished.open("wb") as target:
        # --no-name: without the time, so that the same archive gives the same blob
        subprocess.run(
            ["gzip", "--stdout", "--no-name", f"-{level}", str(archive)], check=True, stdout=target
        )
    digest, diff_id = _digest(unfinished), _digest(archive)
    blob = unfinished.rename(blobs_of(directory) / digest)
    return Layer(digest, diff_id, blob.stat().st_size)


def blobs_of(directory: Path) -> Path:
    """Return where the blobs of a layout are."""
    return directory / "blobs/sha256"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
