"""os-containers in a root: its package, as a person installs it; and its wheel, for the benchmark."""

import shutil
import tomllib
from pathlib import Path

from testhost.commands import run
from testhost.debian_package import program_package
from testhost.roots import cached_tree, key_of
from testhost.source import DEVELOPMENT_PYTHON, SOURCE, copy_source
from testhost.storage import cache_directory


def install_program(pool: Path, suite: str, tree: Path) -> None:
    """Install the program as it stands in the source tree now."""
    package = program_package(pool, suite)
    copy = Path(shutil.copy(package, tree))
    run(["chroot", tree, "dpkg", "--install", f"/{copy.name}"])
    copy.unlink()


def wheels_for(python_version: str) -> Path:
    """Return a cached directory of the dependencies for a version of Python, downloaded now if need be."""
    directory = cache_directory() / "wheels"
    directory.mkdir(exist_ok=True)
    name = f"{python_version}-{key_of(*dependencies())}"
    return cached_tree(directory, name, lambda target: _download(python_version, target))


def _download(python_version: str, target: Path) -> None:
    print(f"testhost: downloading the dependencies for Python {python_version}", flush=True)
    run([
        DEVELOPMENT_PYTHON, "-m", "pip", "download", "--quiet", "--only-binary=:all:",
        f"--python-version={python_version}", f"--dest={target}", *dependencies(),
    ])  # fmt: skip


def dependencies() -> list[str]:
    """Return what the program needs of others."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    return sorted(project["dependencies"])


def build_wheel(scratch: Path) -> Path:
    """Return a wheel of the source tree as it stands now, made in a scratch directory."""
    # in a copy: setuptools writes into the tree that it builds
    copy = scratch / "source"
    copy_source(copy)
    run([
        DEVELOPMENT_PYTHON, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
        "--no-build-isolation", f"--wheel-dir={scratch}", copy,
    ])  # fmt: skip
    return next(scratch.glob("*.whl"))
