"""Asking a registry again: how often, and after which pauses."""

import time
from collections.abc import Callable

import pytest

from os_containers.errors import RegistryError
from os_containers.image.failures import TransientError
from os_containers.image.limits import Limits
from os_containers.image.retrying import retried


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what would have been slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def failing(times: int) -> Callable[[], str]:
    """Return what fails so many times for the moment."""
    left = [times]

    def attempt() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise TransientError("503", hint="try again")
        return "answer"

    return attempt


def test_b16_an_answer_after_three_failures_is_one(pauses: list[float]) -> None:
    """After 1, 4 and 16 seconds, and up to a quarter more of each."""
    assert retried(failing(3), Limits()) == "answer"
    for pause, least in zip(pauses, (1, 4, 16), strict=True):
        assert least <= pause <= 1.25 * least


def test_b16_the_fourth_failure_is_the_last(pauses: list[float]) -> None:
    """And no error that somebody else would take for one that may pass."""
    with pytest.raises(RegistryError, match="503") as caught:
        retried(failing(4), Limits())
    assert type(caught.value) is RegistryError
    assert caught.value.hint == "try again"
    assert len(pauses) == 3


def test_b16_what_will_not_pass_is_not_tried_again(pauses: list[float]) -> None:
    """A login that is missing is missing the next time."""

    def denied() -> None:
        raise RegistryError("401", hint="login is needed")

    with pytest.raises(RegistryError, match="401"):
        retried(denied, Limits())
    assert pauses == []
