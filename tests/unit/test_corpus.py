"""Every input that a fuzzer started from, or once found a bug with, does what its target promises."""

import signal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from fuzz.targets import CORPUS, TARGETS

_SECONDS = 5
# More than what a target reads of something without end, far less than what a bomb takes.
_MEMORY = 32 << 20


@pytest.fixture(autouse=True)
def _deadline() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        raise TimeoutError(f"the input takes longer than {_SECONDS} s")

    former = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_an_input_ends_in_a_value_or_an_error_of_ours(path: Path) -> None:
    """In bounded time and memory."""
    tracemalloc.start()
    try:
        TARGETS[path.parent.name].check(path.read_bytes())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < _MEMORY


def test_every_target_has_seeds() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
