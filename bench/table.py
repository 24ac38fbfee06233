"""Figures as a table: ours, the other's, their ratio, and the goal."""

from collections.abc import Iterator, Sequence

from bench.result import Figure, Result

TITLES = ("row", "figure", "ours", "against", "theirs", "ratio", "goal", "")


def table(results: Sequence[Result]) -> str:
    """Return the results as a table."""
    rows = [TITLES, *(cells for result in results for cells in _rows(result))]
    widths = [max(len(row[index]) for row in rows) for index in range(len(TITLES))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def number(value: float, unit: str) -> str:
    """Return a value with as many digits as tell something; a count has no unit."""
    if not unit:
        return f"{value:g}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 3 if value < 1 else 2  # noqa: PLR2004 - digits
    return f"{value:.{digits}f} {unit}"


def _rows(result: Result) -> Iterator[tuple[str, ...]]:
    for index, figure in enumerate(result.figures):
        yield (
            "" if index else result.row,
            figure.what,
            number(figure.ours, figure.unit),
            figure.against,
            "" if figure.other is None else number(figure.other, figure.unit),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            _goal(figure),
            {True: "met", False: "MISSED", None: ""}[figure.met],
        )


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"{figure.goal:.2f}" if figure.other is not None else number(figure.goal, figure.unit)
