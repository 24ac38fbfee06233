"""Locks between commands: held by one or shared, and told by whom."""

import errno
import os
from pathlib import Path

import pytest

from os_containers.errors import BusyError
from os_containers.locks import locked


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """The other is told who holds it."""
    lock = tmp_path / "lock"
    with (
        locked(lock, timeout=0),
        pytest.raises(BusyError, match=f"process {os.getpid()} holds"),
        locked(lock, timeout=0.1),
    ):
        pass
    with locked(lock, timeout=0):
        pass


def test_a_shared_lock_is_held_by_many(tmp_path: Path) -> None:
    """But not beside an exclusive one."""
    lock = tmp_path / "lock"
    with (
        locked(lock, shared=True, timeout=0),
        locked(lock, shared=True, timeout=0),
        pytest.raises(BusyError),
        locked(lock, timeout=0.1),
    ):
        pass


@pytest.mark.parametrize("failing", ["pwrite", "ftruncate"])
def test_b80_a_full_disk_keeps_nobody_from_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Who holds it is said for people only: the work is done, and another's turn comes."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, refuse)
    for _ in range(2):
        with locked(tmp_path / "lock", timeout=0):
            pass
