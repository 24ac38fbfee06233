"""Names that a person may have meant by one that is none."""

import difflib
from collections.abc import Iterable, Mapping

_ALIKE = 0.7
_SHOWN = 3


def suggestion(wanted: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return a hint that asks for the names most like the wanted one; without such, what to do otherwise."""
    return _asked(difflib.get_close_matches(wanted, list(known), _SHOWN, _ALIKE), otherwise)


def image_suggestion(wanted: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the same for names of images, which people call by their last parts, too."""
    by_part = _by_part(known)
    parts = difflib.get_close_matches(wanted, by_part, _SHOWN, _ALIKE)
    names = dict.fromkeys(name for part in parts for name in by_part[part])
    return _asked(list(names)[:_SHOWN], otherwise)


def _by_part(names: Iterable[str]) -> Mapping[str, list[str]]:
    """Return the names by each way in which they may be said: whole, without registry, tag or both."""
    found: dict[str, list[str]] = {}
    for name in names:
        untagged = name.partition("@")[0]
        if ":" in untagged.rpartition("/")[2]:
            untagged = untagged.rpartition(":")[0]
        for said in (name, untagged):
            parts = said.split("/")
            for count in range(len(parts)):
                found.setdefault("/".join(parts[count:]), []).append(name)
    return found


def _asked(names: list[str], otherwise: str) -> str:
    if not names:
        return otherwise
    *others, last = names
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
