"""The journal of a change: whole, or refused."""

from pathlib import Path

import pytest

from os_containers.errors import BrokenError
from os_containers.operations.journal import Journal, Journals, ServiceState, dump_journal, parse_journal

JOURNAL = Journal(
    operation="update",
    container="app",
    leaving=1,
    entering=2,
    before=ServiceState(running=True, enabled=False),
    after=ServiceState(running=True, enabled=True),
    is_fresh=True,
    missing=("/etc/app.conf",),
)


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And is gone when it is removed, with what a killed writer left beside it."""
    journals = Journals(tmp_path / ".journal")
    assert (journals.names(), journals.read("app")) == ([], None)
    journals.write(JOURNAL)
    (tmp_path / ".journal/.os-containers-app.json@0123").touch()
    assert (journals.names(), journals.read("app")) == (["app"], JOURNAL)
    journals.remove("app")
    assert list((tmp_path / ".journal").iterdir()) == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"", "not a journal", id="empty"),
        pytest.param(dump_journal(JOURNAL)[:-20], "not a journal", id="truncated"),
        pytest.param(dump_journal(JOURNAL).replace(b'"leaving":1', b'"leaving":3'), "damaged", id="changed"),
        pytest.param(b"[" * 100_000, "not a journal", id="deep"),
        pytest.param(b"\xff", "not a journal", id="not-utf-8"),
        pytest.param(
            dump_journal(JOURNAL).replace(b'"version":1', b'"version":2'), "has version 2", id="newer"
        ),
    ],
)
def test_b98_what_is_no_journal_is_refused(raw: bytes, said: str) -> None:
    """Nothing is done by one that cannot be trusted."""
    with pytest.raises(BrokenError, match=said):
        parse_journal(raw)
