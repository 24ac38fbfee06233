"""The image that is pulled: Debian with compilers, git, a JDK and SciPy, three gzip layers.

CACHE/images/big-KEY/layout/        an oci: layout
CACHE/images/big-KEY/facts.json     layers, files and bytes
CACHE/images/rebuilt-KEY/           the same of the image built anew
"""

import json
import os
import shlex
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.blobs import blobs_of, write_image
from bench.rebuilt import rebuild
from testhost.commands import TOGETHER, run
from testhost.roots import cached_tree, key_of
from testhost.source import SOURCE
from testhost.storage import cache_directory

SUITE = "bookworm"
# What each layer after the first installs.
PACKAGES = (
    ("build-essential", "gfortran", "git"),
    ("openjdk-17-jdk-headless", "python3-scipy"),
)
TAG = "latest"
# The default of gzip, and so what most layers in registries have.
LEVEL = 6
# Raise it when a step here, in layers.py, or in rebuilt.py changes.
RECIPE = "1"


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an oci: layout, and what is in it."""

    layout: Path
    layers: tuple[str, ...]
    zipped: int
    files: int
    unpacked: int
    changed_files: int = 0
    changed_bytes: int = 0

    @property
    def reference(self) -> str:
        return f"oci:{self.layout}:{TAG}"

    @property
    def blobs(self) -> list[Path]:
        """The layers as files, the lowest first."""
        return [blobs_of(self.layout) / digest for digest in self.layers]

    @property
    def shown(self) -> str:
        return f"{self.unpacked / 1e9:.2f} GB in {self.files:,} files, {self.zipped / 1e6:.0f} MB compressed"


def big_image() -> Image:
    """Return the cached image, made now if the cache has none."""
    return _cached("big", _build)


def rebuilt_image() -> Image:
    """Return the image built anew: every layer is another one, and 1 % of the files are."""
    return _cached("rebuilt", _rebuild)


def save_image(
    target: Path, archives: Sequence[Path], *, level: int = LEVEL, changed: tuple[int, int] = (0, 0)
) -> None:
    """Write an image of layers to a directory."""
    layers = write_image(target / "layout", TAG, archives, level=level)
    files, unpacked = map(sum, zip(*(_count(archive) for archive in archives), strict=True))
    image = Image(
        layout=target / "layout",
        layers=tuple(layer.digest for layer in layers),
        zipped=sum(layer.size for layer in layers),
        files=files,
        unpacked=unpacked,
        changed_files=changed[0],
        changed_bytes=changed[1],
    )
    (target / "facts.json").write_text(json.dumps(asdict(image), default=str))


def load_image(directory: Path) -> Image:
    """Return the image that save_image has written."""
    facts = json.loads((directory / "facts.json").read_text())
    return Image(**{**facts, "layout": directory / "layout", "layers": tuple(facts["layers"])})


def _cached(name: str, make: Callable[[Path], None]) -> Image:
    packages = (" ".join(names) for names in PACKAGES)
    directory = cache_directory() / "images"
    directory.mkdir(exist_ok=True)
    return load_image(cached_tree(directory, f"{name}-{key_of(RECIPE, SUITE, str(LEVEL), *packages)}", make))


def _build(target: Path) -> None:
    print("bench: making the big image of Debian's packages, about 5 minutes, once", flush=True)
    archives = _new_directory(target / "archives")
    run([*TOGETHER, "mmdebstrap", "--variant=minbase", "--format=null", *_hooks(archives), SUITE, "-"])
    save_image(target, sorted(archives.glob("*.tar")))
    shutil.rmtree(archives)


def _hooks(archives: Path) -> list[str]:
    look = f'{_here()} /usr/bin/python3 -m bench.layers "$1" {shlex.quote(os.fspath(archives))}'
    install = 'chroot "$1" apt-get install --yes --no-install-recommends'
    commands = [look]
    for packages in PACKAGES:
        commands += [f"{install} {' '.join(packages)}", look]
    return [f"--customize-hook={command}" for command in commands]


def _here() -> str:
    return f"env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={shlex.quote(os.fspath(SOURCE))}"


def _rebuild(target: Path) -> None:
    original = big_image()
    print("bench: building the big image anew, about 2 minutes, once", flush=True)
    archives = _new_directory(target / "archives")
    changed = [
        rebuild(blob, archives / f"{number}.tar") for number, blob in enumerate(original.blobs, start=1)
    ]
    files, size = map(sum, zip(*changed, strict=True))
    save_image(target, sorted(archives.glob("*.tar")), changed=(files, size))
    shutil.rmtree(archives)


def _new_directory(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _count(archive: Path) -> tuple[int, int]:
    with tarfile.open(archive) as opened:
        sizes = [member.size for member in opened if not member.isdir()]
    return len(sizes), sum(sizes)
