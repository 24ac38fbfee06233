"""Values that stay where a template puts them: the structure of a rendered text is its template's; pure.

The template's own text alone decides where each of its variables stands: in a JSON string, between the quotes
of a command line, in a field of a tmpfiles.d line. A value fits when it is complete in itself there: it ends
nothing that it did not begin, and leaves a reader in the state in which it found him. So the text rendered
with the values has the same tree, the same sections and settings, the same lines and fields as the one
rendered with harmless placeholders. Nothing is escaped: a value that does not fit is refused.

Some values are meant to be spliced (ADDTL_MOUNTS, ALL_PROCESS_CAPABILITIES): they stand outside any string of
config.json.template. Such a fragment may add members or elements where it stands, or be one value behind
a colon; it cannot close what is around it. A host file is free text, and is not checked.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from os_containers.deployment.template import PLACEHOLDER, with_placeholders
from os_containers.deployment.unit_text import BLANKS, Line, lines


@dataclass(frozen=True, slots=True)
class Misfit:
    """A variable whose value does not fit where it stands, in which line, and why not."""

    variable: str
    line: int
    why: str


class Place(Enum):
    """Where a variable stands, and what is wrong with a value that does not fit there."""

    JSON_STRING = 'does not stay in its JSON string: write \\" for a quote and \\\\ for a backslash'
    JSON_VALUE = "is not one whole JSON value"
    JSON_ITEMS = "is not a list of whole JSON values"
    JSON_PART = "is not part of a number or word of JSON"
    ESCAPED = "follows a backslash, which escapes its first character"
    COMMENT = "does not stay in its line"
    NAME = "is used in the name of a section or a setting"
    UNCOVERING = "stands before text that would begin a section or a comment without it"
    SETTING = "has a control character, a % (write %%), or a backslash at its end"
    LINE_START = "begins a line with # or ;, or has a quote, a ' ; ' or a % (write %%)"
    DOUBLE_QUOTED = "does not stay in its quotes, or has a % (write %%)"
    SINGLE_QUOTED = "does not stay in its apostrophes, or has a % (write %%)"
    COMMAND = "is more than words of its command: it has an unclosed quote, a ' ; ', or a % (write %%)"
    ASSIGNMENT = "is more than one word: it has a blank or a quote outside of quotes, or a % (write %%)"
    FIELD = "is not one field: it is empty, or has a blank, a quote, a backslash or a % (write %%)"
    FIELD_PART = "is more than a part of its field: it has a blank, a quote, a backslash or a % (write %%)"
    ARGUMENT = "has a control character, or a % (write %%)"


Places = Callable[[str], Iterator[tuple[int, Place]]]

_GAP = re.compile(PLACEHOLDER)
_CONTROL = r"\x00-\x1f\x7f"
# what may stand in a unit's setting: a percent sign doubled, a backslash with what it takes
_PAIR = rf"%%|\\%%|\\[^%{_CONTROL}]"
_IN_DOUBLE = rf'(?:{_PAIR}|[^"%\\{_CONTROL}])*'
_IN_SINGLE = rf"(?:{_PAIR}|[^'%\\{_CONTROL}])*"
_QUOTED = rf"\"{_IN_DOUBLE}\"|'{_IN_SINGLE}'"
_NO_SEPARATOR = rf"(?!(?:.*[{BLANKS}])?;(?:[{BLANKS}]|\Z))"
_FITS = {
    Place.JSON_STRING: r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*',
    Place.JSON_PART: r"[0-9A-Za-z.+-]*",
    Place.ESCAPED: r"[0-9A-Za-z][^\x00-\x1f\"'%\\]*",
    Place.COMMENT: rf"[^{_CONTROL}]*",
    Place.NAME: "",
    Place.UNCOVERING: "(?!)",
    Place.SETTING: rf"(?:{_PAIR}|[^%\\{_CONTROL}])*",
    Place.LINE_START: rf"(?![{BLANKS}]*[#;]){_NO_SEPARATOR}(?:{_PAIR}|[^\"'%\\{_CONTROL}])*",
    Place.DOUBLE_QUOTED: _IN_DOUBLE,
    Place.SINGLE_QUOTED: _IN_SINGLE,
    Place.COMMAND: rf"{_NO_SEPARATOR}(?:{_QUOTED}|{_PAIR}|[^\"'%\\{_CONTROL}])*",
    Place.ASSIGNMENT: rf"(?:{_QUOTED}|{_PAIR}|[^\"'%\\\s{_CONTROL}])*",
    Place.FIELD: rf"(?:%%|[^\"'%\\\s{_CONTROL}])+",
    Place.FIELD_PART: rf"(?:%%|[^\"'%\\\s{_CONTROL}])*",
    Place.ARGUMENT: rf"(?:%%|[^%{_CONTROL}])*",
}
_PATTERNS = {place: re.compile(pattern) for place, pattern in _FITS.items()}

_JSON = re.compile(
    rf'(?P<string>"(?:[^"\\]|\\.)*(?:"|\Z))|(?P<gap>{PLACEHOLDER})|(?P<blank>\s+)'
    rf'|(?P<mark>[\[\]{{}}:,])|(?P<word>[^\s\[\]{{}}:,"{PLACEHOLDER}]+)',
    re.DOTALL,
)
_JSON_TOKEN = re.compile(r'\s+|"(?:[^"\\\x00-\x1f]|\\.)*"|[\[\]{}:,]|[0-9A-Za-z.+-]+')
_CLOSING = {"[": "]", "{": "}"}
_ESCAPE_OR_GAP = re.compile(rf"\\.|{PLACEHOLDER}", re.DOTALL)
# an escape, a quote, blanks, a placeholder
_SHELL_LIKE = re.compile(rf"\\.?|[\"']|[{BLANKS}]+|{PLACEHOLDER}", re.DOTALL)
_LAST_FIELD = 6


def misfits(template: bytes, values: Mapping[str, str], places: Places, *, source: str) -> Iterator[Misfit]:
    """Yield every variable whose value would change the structure of the rendered text."""
    text, names = with_placeholders(template, source=source)
    known: dict[tuple[str, Place], bool] = {}
    for name, (offset, place) in zip(names, places(text), strict=True):
        fits = known.get((name, place))
        if fits is None:
            fits = known[name, place] = _fits(place, values[name])
        if not fits:
            yield Misfit(name, text.count("\n", 0, offset) + 1, place.value)


def _fits(place: Place, value: str) -> bool:
    match place:
        case Place.JSON_VALUE:
            return _is_json(value)
        case Place.JSON_ITEMS:
            return _closes_what_it_opens(value)
        case _:
            return _PATTERNS[place].fullmatch(value) is not None


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _closes_what_it_opens(fragment: str) -> bool:
    closing: list[str] = []
    end = 0
    for token in _JSON_TOKEN.finditer(fragment):
        if token.start() != end:
            return False
        end = token.end()
        if token[0] in _CLOSING:
            closing.append(_CLOSING[token[0]])
        elif token[0] in {"]", "}"} and (not closing or closing.pop() != token[0]):
            return False
    return end == len(fragment) and not closing


def json_places(text: str) -> Iterator[tuple[int, Place]]:
    """Yield where each placeholder in a JSON text stands."""
    before = ""
    for token in _JSON.finditer(text):
        match token.lastgroup:
            case "string":
                yield from _in_string(token)
                before = "value"
            case "gap":
                yield token.start(), _between(text, token.start(), before)
            case "mark" | "word":
                before = token[0]
            case _ if _GAP.match(text, token.start() - 1):
                before = "value" if before == ":" else before


def _in_string(string: re.Match[str]) -> Iterator[tuple[int, Place]]:
    for found in _ESCAPE_OR_GAP.finditer(string[0]):
        if found[0] == PLACEHOLDER:
            yield string.start() + found.start(), Place.JSON_STRING
        elif found[0][1] == PLACEHOLDER:
            yield string.start() + found.start() + 1, Place.ESCAPED


def _between(text: str, offset: int, before: str) -> Place:
    """Return the place of a variable outside of strings, by what stands before it and beside it."""
    if re.search(rf"[^\s\[\]{{}}:,\"{PLACEHOLDER}]", _beside(text, offset)):
        return Place.JSON_PART
    return Place.JSON_VALUE if before == ":" else Place.JSON_ITEMS


def _beside(text: str, at: int) -> str:
    return text[max(at - 1, 0) : at] + text[at + 1 : at + 2]


def unit_places(text: str) -> Iterator[tuple[int, Place]]:
    """Yield where each placeholder in a unit stands."""
    words: _Words | None = None  # of the setting that goes on
    for line in lines(text):
        if line.is_comment:
            yield from _all(line, Place.COMMENT)
        elif words is None:
            name, equals, value = line.text.partition("=")
            if line.text.lstrip(BLANKS).startswith("["):
                name, equals, value = line.text, "", ""
            # a line that holds nothing but goes on lets the next one begin a section
            uncovers = _begun(line.text)[1].startswith(("[", "#", ";", "\\"))
            yield from _all(Line(name, line.start), Place.UNCOVERING if uncovers else Place.NAME)
            words = _Words(name.strip(BLANKS))
            yield from words.places(Line(value, line.start + len(name + equals)))
        else:
            yield from words.places(line, begins=True)
        if not line.is_comment and not line.goes_on:
            words = None


class _Words:
    """Where we are among the words and quotes of one setting."""

    def __init__(self, key: str) -> None:
        self._is_command = key.startswith("Exec")
        self._is_assignment = key == "Environment"
        self._quote = ""

    def places(self, line: Line, *, begins: bool = False) -> Iterator[tuple[int, Place]]:
        """Yield the places in a line of the setting; begins for one that goes on from the line before."""
        beginning, rest = _begun(line.text)
        at_start = Place.UNCOVERING if rest.startswith(("#", ";")) else Place.LINE_START
        for found in _SHELL_LIKE.finditer(line.text):
            start = line.start + found.start()
            if found[0] == PLACEHOLDER:
                is_first = begins and found.start() < beginning
                yield start, at_start if is_first else self._place(line.text, found.start())
            elif found[0].startswith("\\") and found[0][1:] == PLACEHOLDER:
                yield start + 1, Place.ESCAPED
            elif found[0] in {'"', "'"}:
                self._quote = "" if self._quote == found[0] else self._quote or found[0]

    def _place(self, text: str, at: int) -> Place:
        if not self._is_command and not self._is_assignment:
            return Place.SETTING
        if self._quote:
            return Place.DOUBLE_QUOTED if self._quote == '"' else Place.SINGLE_QUOTED
        alone = not _beside(text, at).strip(BLANKS)
        return Place.COMMAND if self._is_command or alone else Place.ASSIGNMENT


def tmpfiles_places(text: str) -> Iterator[tuple[int, Place]]:
    """Yield where each placeholder in a tmpfiles.d fragment stands."""
    for line in lines(text):
        if line.is_comment:
            yield from _all(line, Place.COMMENT)
        else:
            yield from _in_fields(line)


def _in_fields(line: Line) -> Iterator[tuple[int, Place]]:
    field, quote, started = 0, "", False
    beginning, rest = _begun(line.text)
    for found in re.finditer(rf"\\.?|[{BLANKS}]+|.", line.text, re.DOTALL):
        start = line.start + found.start()
        if found[0] == PLACEHOLDER and found.start() < beginning:
            # the type, or the whole line
            yield start, Place.UNCOVERING if rest.startswith(("#", ";")) else Place.NAME
        elif found[0] == PLACEHOLDER:
            yield start, _place_in_field(line.text, found.start(), field, quote)
        elif found[0].startswith("\\") and found[0][1:] == PLACEHOLDER:
            yield start + 1, Place.ESCAPED
        elif found[0].strip(BLANKS) == "" and not quote:
            field += started
            started = False
            continue
        elif found[0] in {'"', "'"} and field < _LAST_FIELD:
            quote = "" if quote == found[0] else quote or found[0]
        started = True


def _place_in_field(text: str, at: int, field: int, quote: str) -> Place:
    if field >= _LAST_FIELD:
        return Place.ARGUMENT
    if quote:
        return Place.DOUBLE_QUOTED if quote == '"' else Place.SINGLE_QUOTED
    beside = _beside(text, at).strip(BLANKS)
    return Place.FIELD_PART if beside.strip(PLACEHOLDER) else Place.FIELD


def _begun(text: str) -> tuple[int, str]:
    """Return how much of a line is blank when its first variables have no value, and the rest."""
    rest = text.lstrip(BLANKS + PLACEHOLDER)
    return len(text) - len(rest), rest


def _all(line: Line, place: Place) -> Iterator[tuple[int, Place]]:
    for gap in _GAP.finditer(line.text):
        yield line.start + gap.start(), place
