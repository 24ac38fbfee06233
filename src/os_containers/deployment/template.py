"""The templates in an image: `$NAME`, `${NAME}` and `$$`; every other byte passes unchanged."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from os_containers.deployment.limits import DEFAULT_LIMITS
from os_containers.errors import ImageError, LimitError, UsageError

# half a surrogate pair: no text that was decoded has it
PLACEHOLDER = "\ud800"

_VARIABLE = re.compile(
    rb"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bad>))"
)


def render(
    template: bytes, values: Mapping[str, str], *, source: str, limit: int = DEFAULT_LIMITS.rendered
) -> bytes:
    """Return the template with its variables replaced; values are not expanded again.

    Raises UsageError that lists all variables without a value, ImageError naming source and line for a `$`
    that starts no variable, and for a result of more than limit bytes.
    """
    require_values({source: template}, values)
    used = Counter(name for name, _ in _variables(template, source))
    if len(template) + sum(count * len(values[name].encode()) for name, count in used.items()) > limit:
        fact = f"{source} is larger than {limit} bytes with its values"
        raise LimitError(fact, limit="rendered", hint="use the long value less often")
    return _VARIABLE.sub(lambda match: _replacement(match, values), template)


def require_values(templates: Mapping[str, bytes], values: Mapping[str, str]) -> None:
    """Raise UsageError that lists all variables without a value, of templates by what they are called."""
    missing = [
        f"{name} ({source}:{line})"
        for source, template in templates.items()
        for name, line in _variables(template, source)
        if name not in values
    ]
    if missing:
        raise UsageError(
            f"no value for {', '.join(dict.fromkeys(missing))}", hint="give it with --set NAME=VALUE"
        )


def with_placeholders(template: bytes, *, source: str) -> tuple[str, list[str]]:
    """Return the template's text with a placeholder for each variable, and their names in this order."""
    names = [name for name, _ in _variables(template, source)]
    pieces, end = [], 0
    for match in _VARIABLE.finditer(template):
        pieces += [_text(template[end : match.start()]), "$" if match["dollar"] else PLACEHOLDER]
        end = match.end()
    return "".join([*pieces, _text(template[end:])]), names


def variables(template: bytes, *, source: str) -> frozenset[str]:
    """Return the names of all variables that a template uses."""
    return frozenset(name for name, _ in _variables(template, source))


def _variables(template: bytes, source: str) -> Iterator[tuple[str, int]]:
    line, counted = 1, 0
    for match in _VARIABLE.finditer(template):
        line += template.count(b"\n", counted, match.start())
        counted = match.start()
        if match["bad"] is not None:
            column = match.start() - template.rfind(b"\n", 0, match.start())
            raise ImageError(
                f"{source}:{line}:{column}: '$' does not start a variable",
                hint="in a template, write $$ for a dollar sign",
            )
        if not match["dollar"]:
            yield _name(match), line


def _text(piece: bytes) -> str:
    return piece.decode(errors="surrogateescape")


def _replacement(match: re.Match[bytes], values: Mapping[str, str]) -> bytes:
    return b"$" if match["dollar"] else values[_name(match)].encode()


def _name(match: re.Match[bytes]) -> str:
    name: bytes = match["name"] or match["braced"]
    return name.decode("ascii")
