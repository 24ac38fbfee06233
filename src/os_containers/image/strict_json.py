"""JSON from others: bounded in size and depth, all of it UTF-8, decoded into a type of ours; pure."""

import re
from typing import TypeVar

import msgspec

from os_containers.errors import ImageError, LimitError
from os_containers.image.limits import Limits

_Type = TypeVar("_Type")

# Possessive, and content with a missing quote at the end: linear also for hostile input.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def decode(raw: bytes, kind: type[_Type], what: str, limits: Limits) -> _Type:
    """Return a document as a type; raises ImageError, which begins with what it is, for any other bytes."""
    if len(raw) > limits.json_size:
        raise LimitError(f"{what} is larger than {limits.json_size} bytes", limit="json-size")
    _check_depth(raw, what, limits)
    try:
        # msgspec looks only at the fields that it is asked for
        raw.decode()
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ImageError(f"{what} is malformed: {error}") from error
    except RecursionError as error:
        # with a limit that is higher than what the interpreter can do
        raise ImageError(f"{what} is nested too deeply") from error


def _check_depth(raw: bytes, what: str, limits: Limits) -> None:
    depth = 0
    for token in _TOKENS.finditer(raw):
        if token[0] in b"[{":
            depth += 1
        elif token[0] in b"]}":
            depth -= 1
        if depth > limits.json_depth:
            raise LimitError(f"{what} is nested deeper than {limits.json_depth}", limit="json-depth")
