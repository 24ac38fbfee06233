"""A control group for one host, so that two hosts at the same time do not share one."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def control_group(name: str) -> Iterator[list[str]]:
    """Give the words that start a command inside a new group; kill what is left in it afterwards."""
    hierarchy = _unified_hierarchy()
    if hierarchy is None:
        yield []
        return
    group = hierarchy / name
    group.mkdir()
    try:
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
    finally:
        remove_group(group)


def remove_group(group: Path) -> None:
    """Kill every process of a group and of the groups in it, and remove them all."""
    (group / "cgroup.kill").write_text("1")
    for inner in sorted(group.rglob("*/"), reverse=True):
        if inner.is_dir():
            _remove_when_empty(inner)
    _remove_when_empty(group)


def left_groups(prefix: str) -> list[Path]:
    """Return the groups whose names start so."""
    hierarchy = _unified_hierarchy()
    return list(hierarchy.glob(f"{prefix}*")) if hierarchy else []


def _remove_when_empty(group: Path) -> None:
    # a killed process leaves its group a moment later
    for _ in range(100):
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.02)
    return group.rmdir()


def _unified_hierarchy() -> Path | None:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None
