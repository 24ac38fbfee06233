"""JSON schemas of what --json prints, made of the types that are printed."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from os_containers.cli.command import Command, ListOf

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def outputs(command: click.Command, name: str = "os-containers") -> Iterator[tuple[str, Any]]:
    """Yield the commands that print JSON, each with the type of it."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found:
                yield from outputs(found, f"{name} {inner}")
    elif isinstance(command, Command) and command.output is not None:
        yield name, command.output


def schema(name: str, output: Any) -> dict[str, Any]:
    """Return the schema of what a command prints; keys may be added to it later, none goes."""
    tree = (
        _list_schema(output) if isinstance(output, ListOf) else msgspec.json.schema(output, schema_hook=_text)
    )
    return {"$schema": _DIALECT, "title": f"{name} --json", **tree}


def progress_schema() -> dict[str, Any]:
    """Return the schema of a line of --progress json."""
    from os_containers.cli.json_lines import Line  # noqa: PLC0415 - only for who asks

    tree = msgspec.json.schema(Line)
    return {"$schema": _DIALECT, "title": "a line of os-containers --progress json", **tree}


def _list_schema(output: ListOf) -> dict[str, Any]:
    kinds, parts = msgspec.json.schema_components(
        output.kinds, ref_template="#/$defs/{name}", schema_hook=_text
    )
    return {"type": "array", "items": {"anyOf": list(kinds)}, "$defs": parts}


def _text(_: type) -> dict[str, Any]:
    """Return the schema of what JSON does not know, a path or a digest: it is printed as text."""
    return {"type": "string"}
