"""A deployment on disk."""

import os
from pathlib import Path

import pytest

from os_containers.deployment.deployment import load_deployment, save_record
from os_containers.deployment.record import SIZE_LIMIT, Record
from os_containers.errors import BrokenError


def test_b97_a_record_may_have_16_mib(tmp_path: Path) -> None:
    """One byte more is too much, and no more than that is read of a file that never ends."""
    assert SIZE_LIMIT == 16 << 20
    save_record(tmp_path, Record(1, "etcd", "sha256:0", "c", 0, "runc", {}))
    first = load_deployment("etcd", tmp_path)
    info = tmp_path / "info"
    info.write_bytes(info.read_bytes().ljust(SIZE_LIMIT))
    assert load_deployment("etcd", tmp_path) == first
    for length in (SIZE_LIMIT + 1, 1 << 40):
        os.truncate(info, length)
        with pytest.raises(BrokenError, match="info is larger than 16777216 bytes"):
            load_deployment("etcd", tmp_path)
