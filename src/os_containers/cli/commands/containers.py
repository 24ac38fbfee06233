"""os-containers containers."""

import click
import msgspec
from msgspec import UNSET, UnsetType

from os_containers.cli import options, render
from os_containers.cli.command import Group
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.plain import plain
from os_containers.operations.containers import RUNNING, ListedContainer, list_containers


class ContainerJson(msgspec.Struct, frozen=True):
    """A container: what is active, or the problem of a broken one; created in seconds since 1970."""

    name: str
    state: str
    problem: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    created: float | UnsetType = UNSET
    runtime: str | UnsetType = UNSET
    serial: int | UnsetType = UNSET


@click.group(cls=Group)
def containers() -> None:
    """List the containers of this host."""


@containers.command("list", output=list[ContainerJson])
@click.option("-a", "--all", "every", is_flag=True, help="Not only those that run.")
@options.as_json
@pass_invocation
def list_(invocation: Invocation, *, every: bool, as_json: bool) -> None:
    """List the containers that run."""
    with invocation.system() as system:
        listed = [one for one in list_containers(system) if every or one.state == RUNNING]
    if as_json:
        render.as_json([_json(one) for one in listed])
        return
    render.table(("NAME", "IMAGE", "CREATED", "STATE", "RUNTIME"), [_row(one) for one in listed])
    for one in listed:
        if one.problem:
            click.echo(f"warning: {one.name}: {plain(one.problem)}", err=True)


def _row(container: ListedContainer) -> tuple[str, ...]:
    record = container.record
    if record is None:
        return container.name, "", "", container.state, ""
    return container.name, record.image, render.since(record.created), container.state, record.runtime


def _json(container: ListedContainer) -> ContainerJson:
    record = container.record
    if record is None:
        return ContainerJson(container.name, container.state, problem=container.problem)
    return ContainerJson(
        container.name,
        container.state,
        image=record.image,
        digest=record.digest,
        created=record.created,
        runtime=record.runtime,
        serial=record.serial,
    )
