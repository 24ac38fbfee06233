"""What a service said last, in the journal; pure."""

import contextlib
from collections.abc import Iterator

import msgspec

# What last_words() reads of each entry of the journal.
ENTRY_FIELDS = ("MESSAGE", "_SYSTEMD_CGROUP", "UNIT", "USER_UNIT")
# systemd has what ExecStop= and ExecStopPost= run in a control group beside that of the service
_CONTROL = "/.control"
# "start operation timed out. Terminating.": from here on the service talks of its end
_GIVEN_UP = "operation timed out"


class _Entry(msgspec.Struct, frozen=True):
    message: str | list[int] | None = msgspec.field(name="MESSAGE", default="")
    group: str = msgspec.field(name="_SYSTEMD_CGROUP", default="")
    # what systemd says names the unit that it speaks of
    unit: str = msgspec.field(name="UNIT", default="")
    user_unit: str = msgspec.field(name="USER_UNIT", default="")

    @property
    def is_systemd(self) -> bool:
        return bool(self.unit or self.user_unit)

    @property
    def text(self) -> str:
        # what is no text comes as the list of its bytes
        said = self.message
        return said if isinstance(said, str) else bytes(said or ()).decode(errors="replace")


def last_words(journal: str) -> str:
    """Return the last line of a service in the output of `journalctl --output=json`, empty without any.

    What it said after systemd gave up waiting, and what a command says that stops it (and fails when it is
    gone already), counts only when nothing else was said.
    """
    entries = list(_entries(journal))
    said = [one for one in entries if not one.is_systemd]
    while_waited_for = [one for one in _before_systemd_gave_up(entries) if not one.is_systemd]
    for lines in (_of_service(while_waited_for), _of_service(said), said):
        if lines:
            return lines[-1].text.strip()
    return ""


def _of_service(said: list[_Entry]) -> list[_Entry]:
    return [one for one in said if not one.group.endswith(_CONTROL)]


def _before_systemd_gave_up(entries: list[_Entry]) -> list[_Entry]:
    gave_up = (at for at, one in enumerate(entries) if one.is_systemd and _GIVEN_UP in one.text)
    return entries[: next(gave_up, len(entries))]


def _entries(journal: str) -> Iterator[_Entry]:
    for line in journal.splitlines():
        # a field may be there twice, which is not what services do
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=_Entry)
