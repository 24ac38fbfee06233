"""os-containers as a Debian package, built and judged in a clean root of the suite that it is for.

CACHE/packages/SUITE-KEY/os-containers_VERSION_ARCHITECTURE.deb    KEY: of all that it was made of
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from testhost.commands import TOGETHER, run
from testhost.leftovers import hold_name, remove_host
from testhost.roots import LACKING, cached_tree, key_of
from testhost.source import DEVELOPMENT_PYTHON, SOURCE, copy_source, packages_in, source_key
from testhost.storage import cache_directory, copy_tree, make_tree

# Raise it when a step of _make_root or _build changes.
RECIPE = "1"
TOOLS = ("debhelper", "dpkg-dev", "lintian", "rpm")
WHEELS = SOURCE / "debian/wheels.txt"
PYTHON = {"bookworm": "3.11"}
# What nobody has asked for in so many seconds is not kept.
KEPT_FOR = 3 * 24 * 3600
OFFLINE = ("unshare", "--net", "--")
CLEAN = ("env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")


def program_package(pool: Path, suite: str) -> Path:
    """Return the package of the source tree as it stands now, built now if the cache has none."""
    directory = cache_directory() / "packages"
    directory.mkdir(exist_ok=True)
    _forget_old(directory)
    key = key_of(RECIPE, suite, source_key())
    made = cached_tree(directory, f"{suite}-{key}", lambda target: _build(pool, suite, target))
    os.utime(made)
    (package,) = made.glob("*.deb")
    return package


def judge(pool: Path, suite: str, package: Path) -> str:
    """Return what lintian says of a package; raise CommandError when that is an error or a warning."""
    with scratch_root(pool, suite) as tree:
        shutil.copy(package, tree)
        fail_on = "--fail-on=error,warning"
        return run([*inside(tree), "lintian", "--allow-root", fail_on, "--tag-display-limit=0",
                    f"/{package.name}"])  # fmt: skip


@contextlib.contextmanager
def scratch_root(pool: Path, suite: str) -> Iterator[Path]:
    """Give a tree in which packages can be built; remove it afterwards."""
    root = _build_root(pool, suite)
    with hold_name(f"{suite}-build-{secrets.token_hex(4)}") as name:
        tree = pool / "hosts" / name
        try:
            copy_tree(root, tree)
            yield tree
        finally:
            remove_host(tree)


def _build_root(pool: Path, suite: str) -> Path:
    names = (*TOOLS, *(name for name in packages_in("Build-Depends") if name not in LACKING.get(suite, ())))
    key = key_of(RECIPE, suite, *names)
    return cached_tree(pool / "roots", f"{suite}-build-{key}", lambda tree: _make_root(suite, names, tree))


def _make_root(suite: str, names: tuple[str, ...], tree: Path) -> None:
    print(f"testhost: making a root to build packages for {suite} in, about 60 s", flush=True)
    make_tree(tree)
    run([*TOGETHER, "mmdebstrap", "--variant=apt", f"--include={','.join(names)}", suite, tree])


def _build(pool: Path, suite: str, target: Path) -> None:
    print(f"testhost: building the package for {suite}", flush=True)
    with scratch_root(pool, suite) as tree:
        source = tree / "build/os-containers"
        copy_source(source)
        if suite in LACKING:
            run([source / "debian/backport", suite, *_wheels(PYTHON[suite])])
        command = "cd /build/os-containers && exec dpkg-buildpackage --build=binary --no-check-builddeps"
        run([*inside(tree), "sh", "-c", command])
        target.mkdir()
        for made in (tree / "build").glob("*.deb"):
            shutil.copy(made, target)


def inside(tree: Path) -> list[str | Path]:
    """Return the words that run a program in such a tree, with nothing of this machine and no network."""
    return [*TOGETHER, *OFFLINE, "chroot", tree, *CLEAN]


def _wheels(python_version: str) -> list[Path]:
    """Return the wheels that a package has inside, downloaded now if the cache has none."""
    directory = cache_directory() / "wheels"
    directory.mkdir(exist_ok=True)
    name = f"inside-{python_version}-{key_of(WHEELS.read_text())}"
    made = cached_tree(directory, name, lambda target: _download(python_version, target))
    return sorted(made.glob("*.whl"))


def _download(python_version: str, target: Path) -> None:
    run([
        DEVELOPMENT_PYTHON, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--no-deps",
        f"--python-version={python_version}", f"--dest={target}", f"--requirement={WHEELS}",
    ])  # fmt: skip


def _forget_old(directory: Path) -> None:
    for one in directory.iterdir():
        if one.stat().st_mtime < time.time() - KEPT_FOR:
            shutil.rmtree(one, ignore_errors=True)
