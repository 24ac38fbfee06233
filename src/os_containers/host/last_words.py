"""What a service said last, in the journal; pure."""

import contextlib
from collections.abc import Iterator

import msgspec

# systemd has what ExecStop= and ExecStopPost= run in a control group beside that of the service
_CONTROL = "/.control"


class _Entry(msgspec.Struct, frozen=True):
    message: str | list[int] | None = msgspec.field(name="MESSAGE", default="")
    group: str = msgspec.field(name="_SYSTEMD_CGROUP", default="")


def last_words(journal: str) -> str:
    """Return the last line of a service in the output of `journalctl --output=json`, empty without any.

    What stops a service, and fails when that is gone already, counts only when nothing else was said.
    """
    entries = list(_entries(journal))
    own = [one for one in entries if not one.group.endswith(_CONTROL)]
    said = next((one.message for one in reversed(own or entries)), "")
    # what is no text comes as the list of its bytes
    return (said if isinstance(said, str) else bytes(said or ()).decode(errors="replace")).strip()


def _entries(journal: str) -> Iterator[_Entry]:
    for line in journal.splitlines():
        # a field may be there twice, which is not what services do
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=_Entry)
