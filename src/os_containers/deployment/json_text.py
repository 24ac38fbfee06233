"""A JSON text of an image, read strictly: an error names the place, as line and column; pure.

Strictly means: no key twice in one object, no NaN, not nested too deeply, nothing that UTF-8 cannot write.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from os_containers.errors import AUTHOR, ImageError

JsonPath = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
# how msgspec writes a place: $.mounts[0].source
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>[0-9]+)\]")


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON text and the tree in it, which is an object."""

    source: str
    text: str
    tree: dict[str, Any]

    def error(self, fact: str, path: JsonPath = ()) -> ImageError:
        """Return the error for what is wrong at a path, or at the nearest place above it that there is."""
        offsets = dict(_places(self.text))
        while path not in offsets:
            path = path[:-1]
        return _error(self.source, self.text, offsets[path], fact)


def read_json(raw: bytes, *, source: str, depth: int) -> JsonText:
    """Return the object in a JSON text. Raises ImageError for anything else."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="replace")
        raise _error(source, before, len(before), f"not valid JSON: {error.reason} in UTF-8") from error
    _check_depth(source, text, depth)
    try:
        tree = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
        # JSON can write half a surrogate pair, which no file can hold
        json.dumps(tree, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _error(source, text, error.pos, f"not valid JSON: {error.msg}") from error
    except _DoubledKeyError as error:
        raise _error(source, text, _second(text), f"the key {error.args[0]!a} occurs twice") from error
    except ValueError as error:
        raise _error(source, text, 0, f"not valid JSON: {error}") from error
    if not isinstance(tree, dict):
        raise _error(source, text, 0, "not a JSON object")
    return JsonText(source, text, tree)


def path_of(message: str) -> JsonPath:
    """Return the place that an error of msgspec names."""
    _, _, place = message.partition("`$")
    return tuple(int(step["index"]) if step["index"] else step["key"] for step in _STEP.finditer(place[:-1]))


class _DoubledKeyError(ValueError):
    """A key that stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise _DoubledKeyError(key)
        tree[key] = value
    # null is what Go writes for nil, and both runtimes read it as absent
    return {key: value for key, value in tree.items() if value is not None}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _check_depth(source: str, text: str, most: int) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > most:
            raise _error(source, text, token.start(), f"nested deeper than {most}")


def _error(source: str, text: str, offset: int, fact: str) -> ImageError:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return ImageError(f"{source}:{line}:{column}: {fact}", hint=AUTHOR)


def _second(text: str) -> int:
    """Return where a key stands for the second time in its object."""
    seen = set()
    for path, offset in _places(text):
        if path in seen:
            return offset
        seen.add(path)
    return 0


def _places(text: str) -> Iterator[tuple[JsonPath, int]]:
    """Yield the path of every value of a valid JSON text, and where it, or its key, stands."""
    path: list[str | int] = []
    naming = False  # the next string is a key
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" | "[" as opening:
                if not path or isinstance(path[-1], int):
                    yield tuple(path), token.start()
                naming = opening == "{"
                path.append("" if naming else 0)
            case "}" | "]":
                path.pop()
                naming = False
            case ",":
                last = path[-1]
                naming = isinstance(last, str)
                path[-1] = "" if isinstance(last, str) else last + 1
            case ":":
                naming = False
            case word if naming:
                path[-1] = json.loads(word)
                yield tuple(path), token.start()
            case _ if path and isinstance(path[-1], int):
                yield tuple(path), token.start()
