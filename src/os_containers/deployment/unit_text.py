"""A text for systemd, read as systemd reads it (systemd.syntax(7)): its lines, a unit's settings; pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

BLANKS = " \t"
_COMMENT = ("#", ";")
# systemd ends a line at each of them
_LINE = re.compile(r"([^\n\r\0]*)(?:\r\n|\n\r|[\n\r\0]|\Z)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in the text, without its end, and where it starts."""

    text: str
    start: int

    @property
    def is_comment(self) -> bool:
        return self.text.lstrip(BLANKS).startswith(_COMMENT)

    @property
    def goes_on(self) -> bool:
        """Tell whether the next line belongs to this one's setting: an odd number of backslashes ends it."""
        return (len(self.text) - len(self.text.rstrip("\\"))) % 2 == 1


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a unit; key is empty for the header of a section."""

    section: str
    key: str
    value: str


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of a text."""
    for match in _LINE.finditer(text):
        if match.end() > match.start():
            yield Line(match[1], match.start())


def settings(unit: str) -> Iterator[Setting]:
    """Yield the headers and settings of a unit in their order; what systemd ignores is left out."""
    section = ""
    for line in _joined(unit):
        if line.startswith("["):
            section = line[1:].removesuffix("]")
            yield Setting(section, "", "")
        elif "=" in line:
            key, _, value = line.partition("=")
            yield Setting(section, key.rstrip(BLANKS), value.lstrip(BLANKS))


def _joined(unit: str) -> Iterator[str]:
    begun: list[str] = []
    for line in lines(unit):
        if line.is_comment:
            continue
        if line.goes_on:
            begun += [line.text[:-1], " "]
            continue
        yield "".join([*begun, line.text]).strip(BLANKS)
        begun = []
    yield "".join(begun).strip(BLANKS)
