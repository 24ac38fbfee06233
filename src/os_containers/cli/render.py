"""Results for people and for machines; on stdout."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from os_containers.cli.plain import plain

if TYPE_CHECKING:
    # it would bring gi, which listing containers has no time for
    from os_containers.operations.problem import Problem

_UNITS = ("B", "kB", "MB", "GB", "TB")
_AGES = (
    (365 * 86400, "year"),
    (30 * 86400, "month"),
    (7 * 86400, "week"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)
_SHORT_ID = 12


def human_size(size: float) -> str:
    """Return a size in bytes for people, in powers of 1000: 81.57 MB."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - kilo
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"


def size_with_unit(number: int) -> str:
    """Return a number as config.toml takes it: 64GiB; one that is no whole KiB as it is."""
    for power, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= power and number % power == 0:
            return f"{number // power}{unit}"
    return str(number)


def age(seconds: float) -> str:
    """Return how long ago that was, for people: 3 hours ago."""
    for length, unit in _AGES:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"


def moment(timestamp: float) -> str:
    """Return a time in seconds since 1970 as the host's clock has it: Thu 2026-11-26 20:30:11 UTC."""
    return datetime.fromtimestamp(timestamp).astimezone().strftime("%a %Y-%m-%d %H:%M:%S %Z")


def since(timestamp: float) -> str:
    """Return how long ago a time in seconds since 1970 was."""
    return age(time.time() - timestamp)


def since_text(timestamp: str | None) -> str:
    """Return how long ago a time in RFC 3339 was, as image configs have it; empty when it is no time."""
    try:
        return since(datetime.fromisoformat(timestamp).timestamp()) if timestamp else ""
    except (ValueError, OverflowError):
        return ""


def short_id(digest: str) -> str:
    """Return the first characters of a digest, enough to tell images apart."""
    return digest.removeprefix("sha256:")[:_SHORT_ID]


def table(heading: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their contents."""
    shown = [*([heading] if heading else []), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("   ".join(cells).rstrip())


def as_json(value: Any) -> None:
    """Print a value as JSON, all of it ASCII: an image may have chosen what a terminal would obey."""
    # digests and paths are texts
    click.echo(json.dumps(msgspec.to_builtins(value, enc_hook=str), indent=2))


def problems(found: "Sequence[Problem]") -> None:
    """Print what check found, nothing when there is nothing."""
    for problem in found:
        where, what, hint = (plain(text) for text in (problem.where, problem.what, problem.hint))
        click.echo(f"{where}: {what} ({problem.invariant})\n    {hint}")
