"""os-containers in a root, installed the way a user would: wheels in an environment beside Debian's Python.

/opt/os-containers/              the environment; it sees the distribution's gi
/usr/bin/os-containers           link into it
/usr/bin/os-container            link into it, the other name
"""

import shutil
import tempfile
import tomllib
from pathlib import Path

from testhost.commands import run
from testhost.roots import cached_tree, debian_root, key_of
from testhost.storage import cache_directory, copy_tree

SOURCE = Path(__file__).resolve().parent.parent
# of the source tree: it has pip and setuptools
DEVELOPMENT_PYTHON = SOURCE / ".venv/bin/python"
ENVIRONMENT = "opt/os-containers"
COMMANDS = ("os-containers", "os-container")
# Raise it when a step of _add_dependencies changes.
RECIPE = "1"


def root_for_program(pool: Path, suite: str) -> Path:
    """Return a cached root with all that the program needs, but without the program."""
    base = debian_root(pool, suite)
    key = key_of(RECIPE, base.name, *dependencies())
    return cached_tree(
        pool / "roots", f"{suite}-dependencies-{key}", lambda tree: _add_dependencies(base, tree)
    )


def install_program(tree: Path) -> None:
    """Install the program as it stands in the source tree now."""
    with tempfile.TemporaryDirectory(dir=tree / "var/tmp") as scratch:
        wheel = build_wheel(Path(scratch))
        _pip(tree, "install", "--no-deps", f"/{wheel.relative_to(tree)}")
    for command in COMMANDS:
        (tree / "usr/bin" / command).symlink_to(f"/{ENVIRONMENT}/bin/{command}")


def _add_dependencies(base: Path, tree: Path) -> None:
    copy_tree(base, tree)
    run(["chroot", tree, "python3", "-m", "venv", "--system-site-packages", f"/{ENVIRONMENT}"])
    with tempfile.TemporaryDirectory(dir=tree / "var/tmp") as scratch:
        wheels = wheels_for(_python_version(tree))
        shutil.copytree(wheels, Path(scratch) / "wheels")
        inside = f"/{Path(scratch).relative_to(tree)}/wheels"
        _pip(tree, "install", "--find-links", inside, *dependencies())


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


def _python_version(tree: Path) -> str:
    return (tree / "usr/bin/python3").readlink().name.removeprefix("python")


def build_wheel(scratch: Path) -> Path:
    """Return a wheel of the source tree as it stands now, made in a scratch directory."""
    # in a copy: setuptools writes into the tree that it builds
    copy = scratch / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (SOURCE / name).exists():
            shutil.copy(SOURCE / name, copy)
    shutil.copytree(SOURCE / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run([
        DEVELOPMENT_PYTHON, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
        "--no-build-isolation", f"--wheel-dir={scratch}", copy,
    ])  # fmt: skip
    return next(scratch.glob("*.whl"))


def _pip(tree: Path, *arguments: str) -> None:
    run(["chroot", tree, f"/{ENVIRONMENT}/bin/python", "-m", "pip", "--quiet", "--no-cache-dir",
         "--disable-pip-version-check", *arguments[:1], "--no-index", *arguments[1:]])  # fmt: skip
