"""Where roots and hosts are kept, outside the source tree.

${OS_CONTAINERS_CACHE:-/var/cache/os-containers-testhost}/
    pool.img            sparse btrfs image, mounted while somebody uses it
    pool/roots/KEY      cached root file systems
    pool/hosts/NAME     running hosts: snapshots of roots
    pool/hosts/NAME.*   their console log, their files shared with this machine
    hosts/NAME.lock     held as long as the process of a host lives
    images/KEY          cached OCI layouts
    wheels/KEY          cached Python packages

Where no btrfs image can be mounted, pool is an ordinary directory and copies take longer.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from testhost.commands import CommandError, run

POOL_SIZE = "24G"


def cache_directory() -> Path:
    """Return the directory that outlives a run; it is safe to delete when no host runs."""
    cache = Path(os.environ.get("OS_CONTAINERS_CACHE") or "/var/cache/os-containers-testhost")
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[int]:
    """Hold a lock that ends with this process; with LOCK_NB raise BlockingIOError when it is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_pool() -> Iterator[Path]:
    """Give the mounted pool; the last one to leave unmounts it."""
    cache = cache_directory()
    pool = cache / "pool"
    with locked(cache / "pool.users", fcntl.LOCK_SH) as users:
        with locked(cache / "pool.mount"):
            if not pool.is_mount():
                _mount(cache / "pool.img", pool)
        (pool / "roots").mkdir(exist_ok=True)
        (pool / "hosts").mkdir(exist_ok=True)
        try:
            yield pool
        finally:
            with locked(cache / "pool.mount"), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _unmount(pool)


def remove_pool() -> None:
    """Remove all roots and hosts; raise BlockingIOError when somebody uses them."""
    cache = cache_directory()
    with locked(cache / "pool.users", fcntl.LOCK_EX | fcntl.LOCK_NB):
        _unmount(cache / "pool")
        (cache / "pool.img").unlink(missing_ok=True)


def _mount(image: Path, pool: Path) -> None:
    pool.mkdir(exist_ok=True)
    try:
        if not image.exists():
            _format(image)
        run(["mount", "-o", "loop,noatime", image, pool])
    except (CommandError, FileNotFoundError) as error:
        print(f"testhost: no btrfs image here, copying instead ({error})")


def _format(image: Path) -> None:
    unfinished = image.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    run(["truncate", f"--size={POOL_SIZE}", unfinished])
    run(["mkfs.btrfs", "--quiet", unfinished])
    unfinished.rename(image)


def _unmount(pool: Path) -> None:
    if pool.is_mount():
        run(["umount", pool])


def make_tree(tree: Path) -> None:
    """Make an empty tree that can be copied in no time."""
    if _is_btrfs(tree.parent):
        run(["btrfs", "subvolume", "create", tree])
    else:
        tree.mkdir()


def copy_tree(source: Path, tree: Path) -> None:
    """Make tree an independent copy of source."""
    if _is_btrfs(tree.parent):
        run(["btrfs", "subvolume", "snapshot", source, tree])
    else:
        run(["cp", "--archive", "--reflink=auto", source, tree])


def remove_tree(tree: Path) -> None:
    """Remove a tree that make_tree or copy_tree made, or a file; what is gone is fine."""
    if not tree.is_dir():
        tree.unlink(missing_ok=True)
    elif _is_btrfs(tree.parent):
        for nested in _subvolumes_inside(tree):
            run(["btrfs", "subvolume", "delete", nested])
        run(["btrfs", "subvolume", "delete", tree])
    else:
        shutil.rmtree(tree)


def _subvolumes_inside(tree: Path) -> list[Path]:
    # systemd in a host makes /var/lib/machines and the like subvolumes where it can
    found = [
        Path(line.split(" path ")[1]) for line in run(["btrfs", "subvolume", "list", "-o", tree]).splitlines()
    ]
    return [tree.parent.parent / path for path in sorted(found, reverse=True)]


def _is_btrfs(directory: Path) -> bool:
    return run(["stat", "--file-system", "--format=%T", directory]).strip() == "btrfs"
