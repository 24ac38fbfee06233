"""What came of an update of all containers, for people."""

from collections.abc import Iterable, Iterator

from os_containers.cli import render
from os_containers.cli.failure import tell
from os_containers.operations.update_all import UpdatedContainer


def told(updated: Iterable[UpdatedContainer]) -> Iterator[UpdatedContainer]:
    """Yield the same, and tell of each failure when it comes."""
    for one in updated:
        if one.error:
            tell(f"{one.name}: {one.error}", one.hint, one.exit_code)
        yield one


def show_updated(updated: Iterable[UpdatedContainer]) -> None:
    """Print the summary."""
    render.table(("NAME", "RESULT", "IMAGE", "BEFORE", "NOW"), [_row(one) for one in updated])


def _row(one: UpdatedContainer) -> tuple[str, ...]:
    return one.name, _result(one), one.image, render.short_id(one.before), render.short_id(one.now)


def _result(one: UpdatedContainer) -> str:
    if one.given_up_at is None:
        return one.outcome
    return f"{one.outcome}: {render.short_id(one.skipped)} given up on {render.moment(one.given_up_at)}"
