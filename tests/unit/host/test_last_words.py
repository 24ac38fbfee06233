"""Of all that a unit's processes said, the reason why the service is gone."""

import json

import pytest

from os_containers.host.last_words import last_words

SERVICE = "/system.slice/app.service/container"
CONTROL = "/system.slice/app.service/.control"


GAVE_UP = "app.service: start operation timed out. Terminating."


def journal(*said: tuple[object, str]) -> str:
    entries = [json.dumps({"MESSAGE": message, "_SYSTEMD_CGROUP": group}) for message, group in said]
    return "".join(f"{entry}\n" for entry in entries)


@pytest.mark.parametrize(
    ("said", "last"),
    [
        ([("one", SERVICE), ("bad port", SERVICE), ("no such container", CONTROL)], "bad port"),
        ([("no such container", CONTROL)], "no such container"),
        ([("in the end", "/system.slice/app.service")], "in the end"),
        ([([98, 97, 100, 255], SERVICE)], "bad\ufffd"),
        ([(None, SERVICE)], ""),
        ([("once", SERVICE), (["twice", "twice"], SERVICE)], "once"),
        ([], ""),
    ],
)
def test_the_service_has_the_last_word_not_what_stops_it(said: list[tuple[object, str]], last: str) -> None:
    """Unless nothing else was said; bytes that are no text are shown as such."""
    assert last_words(journal(*said)) == last


@pytest.mark.parametrize("field", ["UNIT", "USER_UNIT"])
@pytest.mark.parametrize(
    ("before", "after", "last"),
    [
        (["waiting for the database"], ["goodbye"], "waiting for the database"),
        ([], ["goodbye"], "goodbye"),
        ([], [], ""),
    ],
)
def test_what_was_said_after_systemd_gave_up_is_no_reason(
    field: str, before: list[str], after: list[str], last: str
) -> None:
    """Unless nothing was said before; what systemd itself says are no words of the service."""
    systemd = "".join(
        json.dumps({"MESSAGE": message, "_SYSTEMD_CGROUP": "/init.scope", field: "app.service"}) + "\n"
        for message in (GAVE_UP, "app.service: Failed with result 'timeout'.")
    )
    said = [journal(*((message, SERVICE) for message in messages)) for messages in (before, after)]
    assert last_words(systemd.join(said) + systemd) == last
