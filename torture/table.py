"""What was tried and what was found: a line for each operation and fault."""

from collections.abc import Iterator, Mapping, Sequence

Facts = Mapping[str, object]
COLUMNS = ("part", "operation", "fault", "points", "before", "after", "third", "worst", "seconds")
TITLES = ("part", "operation", "fault", "points tried", "before", "after", "third states",
          "worst recovery", "seconds")  # fmt: skip


def table(results: Sequence[Facts]) -> str:
    """Return the results as a table; third states must be 0."""
    rows = [TITLES, *(tuple(str(result[column]) for column in COLUMNS) for result in results)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 3 else cell.rjust(width)  # noqa: PLR2004 - words left, numbers right
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def shown(facts: Facts) -> str:
    """Return one line, or a few, for one thing that the host told."""
    match facts["kind"]:
        case "third":
            return "\n".join(_third(facts))
        case "note":
            what = f"NOTE: {facts['operation']}, {facts['fault']}: exit code {facts['code']}"
            return f"{what}\n    {facts['at']}\n    {facts['said']}"
        case "stuck":
            return f"{facts['part']} {facts['operation']}: cannot go on: {facts['error']}"
        case _:
            return (
                f"{facts['part']} {facts['operation']}, {facts['fault']}: {facts['points']} points, "
                f"{facts['third']} third states, {facts['seconds']} s{_more(facts)}"
            )


def kinds(results: Sequence[Facts]) -> str:
    """Return how often each kind of third state came, the most frequent first."""
    lines = []
    for result in results:
        found = result["kinds"]
        assert isinstance(found, dict)  # noqa: S101 - our own other side
        lines += [
            f"{number:5}  {result['operation']}, {result['fault']}: {kind}" for kind, number in found.items()
        ]
    return "\n".join(lines)


def _more(facts: Facts) -> str:
    codes = facts.get("codes")
    told = f" of {facts['listed']} points" if facts.get("listed") else ""
    told += f"; exit codes {codes}" if codes else ""
    times = facts.get("times")
    spent = (
        "".join(f"\n    {label}: {text}" for label, text in times.items()) if isinstance(times, dict) else ""
    )
    return told + (f"; {facts['note']}" if facts.get("note") else "") + spent


def _third(facts: Facts) -> Iterator[str]:
    yield f"THIRD STATE: {facts['operation']}, {facts['fault']} at {facts['point']}"
    if facts["at"]:
        yield f"    {facts['at']}"
    wrong = facts["wrong"]
    assert isinstance(wrong, list)  # noqa: S101 - our own other side
    yield from (f"    - {line}" for line in wrong[:12])
    if len(wrong) > 12:  # noqa: PLR2004 - a screen
        yield f"    - and {len(wrong) - 12} more"
