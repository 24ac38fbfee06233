"""The option --filter KEY=VALUE of what lists: values of one key are alternatives, each key must be met."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from os_containers.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from os_containers.cli.complete import Completer

_Listed = TypeVar("_Listed")
# Tells whether what is listed has a value.
Test = Callable[[_Listed, str], bool]

BOOLEANS = ("true", "false")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def option(
    keys: Iterable[str], *, values: Mapping[str, Sequence[str]]
) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Return the option; the command gets it as `filters`. Shells complete keys, and values that are few."""
    return click.option(
        "-f",
        "--filter",
        "filters",
        metavar="KEY=VALUE",
        multiple=True,
        shell_complete=_completer([*(f"{key}=" for key in keys), *_pairs(values)]),
        help=f"List only what matches; KEY is one of {', '.join(keys)}.",
    )


def _pairs(values: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{key}={value}" for key, some in values.items() for value in some]


def _completer(words: Sequence[str]) -> "Completer":
    def complete(ctx: click.Context, parameter: click.Parameter, word: str) -> "list[CompletionItem]":
        from os_containers.cli.complete import completer  # noqa: PLC0415 - only a shell wants it

        return completer(lambda *_: ((one, "filter") for one in words))(ctx, parameter, word)

    return complete


def filtered(
    listed: Iterable[_Listed], filters: Sequence[str], tests: Mapping[str, Test[_Listed]]
) -> list[_Listed]:
    """Return what passes all filters. Raises UsageError for a filter that is none."""
    wanted: dict[str, list[str]] = {}
    for one in filters:
        key, equals, value = one.partition("=")
        if not equals or key not in tests:
            raise UsageError(
                f"--filter {one!r} is not a filter", hint=f"write KEY=VALUE; keys: {', '.join(tests)}"
            )
        wanted.setdefault(key, []).append(value)
    return [
        one
        for one in listed
        if all(any(tests[key](one, value) for value in values) for key, values in wanted.items())
    ]


def is_true(value: str) -> bool:
    """Return what a value says that is either true or false. Raises UsageError for another."""
    if value not in _BOOLEANS:
        raise UsageError(f"{value!r} is neither true nor false", hint="for example --filter used=true")
    return _BOOLEANS[value]
