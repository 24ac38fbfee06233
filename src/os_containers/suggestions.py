"""Names that a person may have meant by one that is none."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.7
_SHOWN = 3


def suggestion(wanted: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return a hint that asks for the names most like the wanted one; without such, what to do otherwise."""
    return _asked(_near(wanted, list(known)), otherwise)


def image_suggestion(wanted: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the same for names of images: those whose last part is alike, in whatever registry and tag."""
    by_title: dict[str, list[str]] = {}
    for name in known:
        by_title.setdefault(_title(name), []).append(name)
    found = [
        name
        for title in _near(_title(wanted), list(by_title))
        for name in sorted(by_title[title], key=lambda name: _likeness(wanted, name), reverse=True)
    ]
    return _asked(found[:_SHOWN], otherwise)


def _near(wanted: str, known: list[str]) -> list[str]:
    """Return the names most like one, the most alike first."""
    # two swapped letters are one slip, and most of a short name
    swapped = {f"{wanted[:at]}{wanted[at : at + 2][::-1]}{wanted[at + 2 :]}" for at in range(len(wanted))}
    near = [name for name in known if name in swapped]
    alike = difflib.get_close_matches(wanted, known, _SHOWN, _ALIKE) if wanted else []
    return list(dict.fromkeys([*near, *alike]))[:_SHOWN]


def _title(image: str) -> str:
    """Return the last part of an image's name, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _likeness(wanted: str, name: str) -> float:
    return difflib.SequenceMatcher(None, wanted, name).ratio()


def _asked(names: list[str], otherwise: str) -> str:
    if not names:
        return otherwise
    *others, last = names
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
