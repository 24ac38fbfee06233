"""What is written in the background: all of it is waited for, whatever the thread is at."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from os_containers.ostree.write_behind import write_behind

MUCH = 64 << 20


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_the_end_never_waits_for_a_thread_that_waits(tmp_path: Path) -> None:
    """It may come while the thread is about to look for more."""
    for _ in range(300):
        with write_behind(tmp_path) as behind:
            behind.written(MUCH)
            behind.finish()
    assert threading.active_count() == 1


def test_a_thread_is_there_only_for_much(tmp_path: Path) -> None:
    """A small layer needs none."""
    with write_behind(tmp_path) as behind:
        behind.written(MUCH - 1)
        assert threading.active_count() == 1
        behind.written(1)
        assert threading.active_count() == 2
