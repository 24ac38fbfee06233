"""The images of examples/, made by examples/build as their READMEs say."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from testhost.commands import TOGETHER, run
from testhost.roots import cached_tree, key_of
from testhost.storage import cache_directory

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# Raise it when something changes that is not a file of the example.
RECIPE = "1"


def example_layout(name: str, *, suite: str = "trixie") -> Path:
    """Return a cached OCI layout of an example, tag latest, made now if the cache has none."""
    directory = cache_directory() / "images"
    directory.mkdir(exist_ok=True)
    key = f"example-{name}-{suite}-{key_of(RECIPE, *_parts(name))}"
    return cached_tree(directory, key, lambda target: _build(name, suite, target))


def write_next_version(layout: Path, target: Path, changed: Mapping[str, str]) -> None:
    """Write a layout of the same image with some files changed, in a layer of its own."""
    shutil.copytree(layout, target)
    for path, text in changed.items():
        file = target.with_suffix(".file")
        file.write_text(text)
        file.chmod(0o644)
        run(["umoci", "insert", "--image", f"{target}:latest", file, path])
        file.unlink()


def _parts(name: str) -> list[str]:
    files = [
        path for path in sorted((EXAMPLES / name).rglob("*")) if path.is_file() and path.name != "README.md"
    ]
    described = [f"{path.relative_to(EXAMPLES)} {path.stat().st_mode:o} {path.read_text()}" for path in files]
    return [(EXAMPLES / "build").read_text(), *described]


def _build(name: str, suite: str, target: Path) -> None:
    print(f"testhost: making the image of the example {name}, about 10 s", flush=True)
    run([*TOGETHER, "env", f"SUITE={suite}", EXAMPLES / "build", name, target])
