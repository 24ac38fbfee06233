"""What the machine can do at all: the tools that do nothing but the work, as programs to be measured."""

from pathlib import Path

from bench.big_image import Image
from bench.disk import Disk
from bench.measure import Command

# every layer at the same time, each in a directory of its own, then the disk
_UNPACK = """\
set -o pipefail
directory=$1; shift; jobs=()
for blob; do
    mkdir "$directory/${blob##*/}"
    (igzip -dc "$blob" | tar --extract --directory="$directory/${blob##*/}") & jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || exit; done
sync --file-system "$directory"
"""

# the same with what must be hashed besides: each blob, each tar while it flows, then each file
_UNPACK_VERIFIED = """\
set -o pipefail
directory=$1; shift; jobs=()
for blob; do
    layer=$directory/${blob##*/}
    mkdir "$layer"
    openssl dgst -sha256 "$blob" & jobs+=($!)
    (igzip -dc "$blob" | tee >(openssl dgst -sha256) | tar --extract --directory="$layer") & jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || exit; done
find "$directory" -type f -print0 | xargs -0 --max-args=500 --max-procs=$(nproc) openssl dgst -sha256
sync --file-system "$directory"
"""


def unpack(image: Image, disk: Disk) -> Command:
    """Return what unpacks the layers of an image and makes them durable."""
    return ["bash", "-c", _UNPACK, "bash", disk.directory, *image.blobs]


def unpack_verified(image: Image, disk: Disk) -> Command:
    """Return what does the same and makes all digests that nobody may do without."""
    return ["bash", "-c", _UNPACK_VERIFIED, "bash", disk.directory, *image.blobs]


def copy_links(source: Path, target: Path) -> Command:
    """Return what makes a tree of hard links."""
    return ["cp", "-al", source, target]


def read_ahead(image: Image) -> None:
    """Bring the layers of an image into memory, so that nobody waits for the disk that they come from."""
    for blob in image.blobs:
        _read(blob)


def read_ahead_tree(tree: Path) -> None:
    """Bring the files of a tree into memory, as they are soon after a pull."""
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            _read(path)


def hash_tree(tree: Path) -> Command:
    """Return what makes the digest of every file of a tree, on all processors."""
    script = 'find "$0" -type f -print0 | xargs -0 --max-args=500 --max-procs=$(nproc) openssl dgst -sha256'
    return ["sh", "-c", script, tree]


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
