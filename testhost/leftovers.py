"""What a killed run leaves behind, and how the next one knows that nobody needs it."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from testhost.control_group import left_groups, remove_group
from testhost.storage import cache_directory, locked, remove_tree


@contextlib.contextmanager
def hold_name(name: str) -> Iterator[str]:
    """Hold the lock that tells others that the host of this name is alive."""
    lock = cache_directory() / "hosts" / f"{name}.lock"
    with locked(lock):
        try:
            yield name
        finally:
            lock.unlink()


def remove_leftovers(pool: Path) -> None:
    """Remove every host that no living process holds."""
    for lock in (cache_directory() / "hosts").glob("*.lock"):
        with contextlib.suppress(BlockingIOError), locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            remove_host(pool / "hosts" / lock.stem)
            lock.unlink()


def remove_host(tree: Path) -> None:
    """Remove a host's processes, its tree and the files beside it; what is gone is fine."""
    for group in left_groups(f"os-containers-testhost-{tree.name}"):
        remove_group(group)
    remove_tree(tree)
    tree.with_suffix(".console").unlink(missing_ok=True)
    shutil.rmtree(tree.with_suffix(".shared"), ignore_errors=True)
