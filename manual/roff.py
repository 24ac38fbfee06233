"""Text as man(7) wants it; pure."""

import re
import textwrap
from collections.abc import Iterable

# what would be a hyphen, a quotation mark or an accent to who copies an option or a command
_SPECIAL = {"\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
_WIDTH = 78
_QUOTED = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Return a text that stands in a line of its own."""
    return _line(_inner(text))


def bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fR"


def italic(text: str) -> str:
    return f"\\fI{escaped(text)}\\fR"


def prose(text: str) -> list[str]:
    """Return the lines of a paragraph, in which what stands in backquotes is bold."""
    pieces = _QUOTED.split(" ".join(text.split()))
    marked = "".join(bold(one) if odd % 2 else _inner(one) for odd, one in enumerate(pieces))
    lines = textwrap.wrap(marked, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_line(line) for line in lines]


def section(title: str, body: Iterable[str]) -> str:
    """Return a section, nothing without a body."""
    lines = list(body)
    return "\n".join([f".SH {title}", *lines, ""]) if lines else ""


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, which blank lines part."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines += [*([".PP"] if lines else []), *prose(paragraph)]
    return lines


def item(term: str, text: str) -> list[str]:
    """Return a term, in roff already, and what it is."""
    return [".TP", term, *paragraphs(text)] if text.strip() else [".TP", term]


def code(lines: Iterable[str]) -> list[str]:
    """Return lines as they are typed."""
    return [".PP", ".RS 4", ".nf", *map(escaped, lines), ".fi", ".RE"]


def _inner(text: str) -> str:
    return "".join(_SPECIAL.get(one, one) for one in text)


def _line(text: str) -> str:
    # at the beginning of a line, a dot or an apostrophe would be a request
    return f"\\&{text}" if text.startswith((".", "'")) else text
