"""The plan of a change, shown: what would be done, and the texts that would be written."""

import difflib
from collections.abc import Iterator, Sequence

import click

from os_containers.cli import render
from os_containers.cli.plain import indented
from os_containers.deployment.factory import SERIAL as FACTORY
from os_containers.deployment.values import Origin
from os_containers.errors import UsageError
from os_containers.host.hostfiles import Action
from os_containers.operations.plan import Plan, PlannedText, PlannedValue


def require_dry_run(*, dry_run: bool, as_json: bool) -> None:
    """Raise UsageError for --json where there is no plan to show."""
    if as_json and not dry_run:
        raise UsageError("--json needs --dry-run", hint="leave it out, or add --dry-run")


def show_plans(plans: Sequence[Plan], *, as_json: bool = False) -> None:
    """Print what would be done to each container."""
    if as_json:
        render.as_json(plans)
        return
    for plan in plans:
        for line in _lines(plan):
            click.echo(indented(line))


def _lines(plan: Plan) -> Iterator[str]:
    yield _heading(plan)
    if not plan.changes:
        yield from (f"  nothing: {step}" for step in plan.steps or ("already as requested",))
        return
    for name, fact in (("image", plan.image), ("digest", plan.digest), ("rootfs", plan.remote)):
        if fact:
            yield f"  {name + ':':8}{fact}"
    yield from _part("values", [_value(one) for one in plan.values if _is_of_interest(one)])
    files = [(one.action, one.path) for one in plan.host_files if one.action is not Action.LEAVE]
    yield from _part("host files", [f"{path}: {action.value}" for action, path in files])
    for text in plan.texts:
        yield f"  {_title(text)}"
        yield from (f"    {line}" for line in _difference(text))
    yield from _part("steps", plan.steps)
    yield from _part("discarded", [f"deployment {serial}" for serial in plan.discarded])


def _heading(plan: Plan) -> str:
    serials = dict.fromkeys(_serial(one) for one in (plan.leaving, plan.entering) if one is not None)
    deployments = f": deployment {' -> '.join(serials)}" if serials else ""
    return f"{plan.operation} {plan.container}{deployments}"


def _serial(serial: int) -> str:
    return "factory" if serial == FACTORY else str(serial)


def _part(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"  {title}"
        yield from (f"    {line}" for line in lines)


def _is_of_interest(value: PlannedValue) -> bool:
    """Tell whether a person may want to know of it: what we decide is in the texts."""
    is_decided_by_us = value.origin == Origin.GENERATED and value.before is None
    return value.origin != Origin.FORCED and not is_decided_by_us


def _value(value: PlannedValue) -> str:
    if value.after is None:
        return f"{value.name} removed (was {value.before!r})"
    was = f", was {value.before!r}" if value.before is not None else ""
    return f"{value.name}={value.after} ({value.origin}{was})"


def _title(text: PlannedText) -> str:
    if text.path.endswith("/config.json"):
        return f"runtime configuration {text.path}"
    if text.before is None:
        return f"new {text.path}"
    return f"{'removed' if text.after is None else 'changed'} {text.path}"


def _difference(text: PlannedText) -> list[str]:
    """Return a new file whole, of a changed one what differs, of one that goes nothing."""
    if text.after is None:
        return []
    after = text.after.splitlines()
    if text.before is None:
        return after
    return list(difflib.unified_diff(text.before.splitlines(), after, lineterm=""))[2:]
