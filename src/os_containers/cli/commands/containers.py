"""os-containers containers."""

import sys
from collections.abc import Callable

import click
import msgspec
from msgspec import UNSET, UnsetType

from os_containers.cli import filters as container_filters
from os_containers.cli import options, render
from os_containers.cli.command import Group
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import advise, each, warn
from os_containers.cli.filters import Test, filtered
from os_containers.cli.plain import plain
from os_containers.errors import UsageError
from os_containers.operations.containers import RUNNING, STATES, ListedContainer, list_containers


def _has_state(one: ListedContainer, value: str) -> bool:
    if value not in STATES:
        # not at the top: listing has no time for it
        from os_containers.suggestions import suggestion  # noqa: PLC0415

        hint = suggestion(value, STATES, otherwise=f"one of: {', '.join(STATES)}")
        raise UsageError(f"{value!r} is not a state of a container", hint=hint)
    return one.state == value


_TESTS: dict[str, Test[ListedContainer]] = {
    "name": lambda one, value: value in one.name,
    "image": lambda one, value: one.record is not None and value in (one.record.image or one.record.remote),
    "state": _has_state,
    "runtime": lambda one, value: one.record is not None and one.record.runtime.endswith(value),
}


class ContainerJson(msgspec.Struct, frozen=True):
    """A container: its active deployment, or what is wrong and what to do; created in seconds since 1970."""

    name: str
    state: str
    problem: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    remote: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    created: float | UnsetType = UNSET
    preinstalled: bool = False
    runtime: str | UnsetType = UNSET
    serial: int | UnsetType = UNSET


@click.group(cls=Group)
def containers() -> None:
    """List and delete containers."""


@containers.command(
    "list",
    output=list[ContainerJson],
    examples=(
        ("containers list", "List the containers that are running"),
        ("containers list --all --filter state=failed", "List those whose service has failed"),
        ("containers list --all --quiet", "Print the names of all containers, for a script"),
    ),
)
@click.option(
    "-a", "--all", "every", is_flag=True, help="List all containers, not only those that are running."
)
@container_filters.option(_TESTS, values={"state": STATES})
@click.option("-q", "--quiet", is_flag=True, help="Print only the names.")
@options.no_heading
@options.no_truncate
@options.as_json
@pass_invocation
def list_(
    invocation: Invocation,
    *,
    every: bool,
    filters: tuple[str, ...],
    quiet: bool,
    no_heading: bool,
    no_truncate: bool,
    as_json: bool,
) -> None:
    """List running containers.

    STATE is running, failed, inactive, "no service" (the container consists of host files only), or broken
    (see `check`).

    A filter for a state implies --all. Of several filters with the same key, one must match; filters with
    different keys must all match.
    """
    every = every or any(one.startswith("state=") for one in filters)
    with invocation.system() as system:
        found = [one for one in list_containers(system) if every or one.state == RUNNING]
    listed = filtered(found, filters, _TESTS)
    if as_json:
        render.as_json([_json(one) for one in listed])
        return
    if quiet:
        for one in listed:
            click.echo(one.name)
        return
    heading = ("NAME", "IMAGE", "CREATED", "STATE", "RUNTIME", "IMAGE ID")
    shown = str if no_truncate else render.short_id
    render.table(None if no_heading else heading, [_row(one, shown) for one in listed])
    for one in listed:
        if one.problem:
            warn(f"{one.name}: {one.problem}")
            advise(one.hint)


@containers.command(
    examples=(("containers delete etcd flannel", "Remove two containers, but keep their data"),),
)
@options.containers
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.dry_run
@pass_invocation
def delete(invocation: Invocation, names: tuple[str, ...], *, yes: bool, dry_run: bool) -> int:
    """Remove containers, after asking for confirmation.

    Each is removed as by `uninstall`: host files that were changed and the data of containers are kept. If
    one of the containers does not exist, none is removed. If the answer is no, the exit code is 2.
    """
    # listing has no time for it
    from os_containers.cli.planned import show_plans  # noqa: PLC0415
    from os_containers.operations.preview import plan_uninstall  # noqa: PLC0415
    from os_containers.operations.uninstall import check_there, uninstall  # noqa: PLC0415

    if dry_run:
        with invocation.system() as system:
            return each(names, lambda name: show_plans([plan_uninstall(system, name)]))
    with invocation.system() as system:
        # before any goes: a mistyped name shall cost no container
        code = each(names, lambda name: check_there(system, name))
        if code:
            return code
        if not yes and not sys.stdin.isatty():
            raise UsageError("cannot ask for confirmation without a terminal", hint="give --yes")
        if not yes and not _agreed(names):
            raise UsageError("nothing was deleted: the answer was no", hint="answer y, or give --yes")
        return each(names, lambda name: uninstall(system, name))


def _agreed(names: tuple[str, ...]) -> bool:
    try:
        return click.confirm(f"Remove {', '.join(map(plain, names))}?", err=True)
    except click.Abort:
        # Ctrl-D, which leaves the cursor in the line; Ctrl-C comes as a signal
        click.echo(err=True)
        return False


def _row(container: ListedContainer, shown: Callable[[str], str]) -> tuple[str, ...]:
    record = container.record
    if record is None:
        return container.name, "", "", container.state, "", ""
    created = "preinstalled" if container.preinstalled else render.since(record.created)
    made_of = record.image or record.remote
    return container.name, made_of, created, container.state, record.runtime, shown(record.digest)


def _json(container: ListedContainer) -> ContainerJson:
    record = container.record
    if record is None:
        return ContainerJson(container.name, container.state, problem=container.problem, hint=container.hint)
    return ContainerJson(
        container.name,
        container.state,
        image=record.image,
        remote=record.remote or UNSET,
        digest=record.digest,
        created=record.created,
        preinstalled=container.preinstalled,
        runtime=record.runtime,
        serial=record.serial,
    )
