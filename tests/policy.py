"""A policy of SELinux for tests: labels on a disk, which root can set also where SELinux is off."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from os_containers.selinux import LABEL, Labels

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can set labels")


def labels_like(paths: Mapping[str, str], *, kind: int | None = None, of_images: str = "") -> Labels:
    """Return labels that say this of these paths, or only when they are of a kind, and nothing of others."""

    def look_up(path: str, given: int) -> bytes | None:
        is_meant = path in paths and kind in {None, given}
        return paths[path].encode() if is_meant else None

    return Labels(look_up, lambda: of_images.encode() or None)


def label_of(path: Path) -> str:
    """Return the label of a file or of a symlink itself; nothing when it has none."""
    try:
        return os.getxattr(path, LABEL, follow_symlinks=False).rstrip(b"\0").decode()
    except OSError:
        return ""
