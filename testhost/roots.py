"""Root file systems of Debian suites, made once by mmdebstrap and cached under a key of all that went in."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from testhost.commands import TOGETHER, run
from testhost.source import packages_in
from testhost.storage import cache_directory, locked, make_tree, remove_tree

# Raise it when a step of _install changes.
RECIPE = "1"

# Besides what the package of the program depends on.
PACKAGES = (
    "apache2-utils",  # htpasswd, for the registry that wants a password
    "busybox-static",
    "ca-certificates",
    "dbus",
    "dbus-user-session",
    "docker-registry",
    "iproute2",
    "libpam-systemd",
    "openssl",
    "ostree",
    "procps",
    "rpm",
    "skopeo",
    "strace",
    "systemd",
    "systemd-sysv",
    "umoci",
)

# crun 1.8 of bookworm cannot start a container in a machine without CAP_SYS_RESOURCE.
RUNTIMES = {"trixie": ("crun", "runc"), "bookworm": ("runc",)}

# Python modules that it does not have; the package for it has them inside.
LACKING = {"bookworm": ("python3-isal", "python3-msgspec")}

# What a fresh machine starts by itself and a test does not want.
MASKED = (
    "apt-daily-upgrade.timer",  # at random times
    "apt-daily.timer",
    "docker-registry.service",  # registry.py starts its own
    "systemd-modules-load.service",  # the kernel is the outer machine's: it has no modules here
)


def debian_root(pool: Path, suite: str, more: Sequence[str] = ()) -> Path:
    """Return a tree with a freshly installed suite and more packages, made now if the cache has none."""
    packages = (*_packages(suite), *more)
    key = key_of(RECIPE, suite, *packages, *MASKED)
    return cached_tree(pool / "roots", f"{suite}-{key}", lambda tree: _install(suite, packages, tree))


def cached_tree(directory: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return directory/name, made aside and renamed when whole: an interrupted one is made again."""
    tree = directory / name
    with locked(cache_directory() / "locks" / name):
        if not tree.exists():
            unfinished = directory / f"{name}.new"
            remove_tree(unfinished)
            make(unfinished)
            unfinished.rename(tree)
    return tree


def key_of(*parts: str) -> str:
    """Return a short name for exactly these parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _packages(suite: str) -> tuple[str, ...]:
    needed = (*packages_in("Depends"), *packages_in("Recommends"))
    of_suite = (name for name in needed if name not in {*LACKING.get(suite, ()), *RUNTIMES["trixie"]})
    return (*dict.fromkeys((*PACKAGES, *of_suite)), *RUNTIMES[suite])


def _install(suite: str, packages: Sequence[str], tree: Path) -> None:
    print(f"testhost: installing Debian {suite} into the cache, about 40 s", flush=True)
    make_tree(tree)
    run([*TOGETHER, "mmdebstrap", "--variant=apt", f"--include={','.join(packages)}", suite, tree])
    (tree / "etc/hostname").write_text(f"{suite}\n")
    for unit in MASKED:
        (tree / "etc/systemd/system" / unit).symlink_to("/dev/null")
