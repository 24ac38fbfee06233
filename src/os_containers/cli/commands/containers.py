"""os-containers containers."""

from typing import Any

import click

from os_containers.cli import options, render
from os_containers.cli.command import Group
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.plain import plain
from os_containers.operations.containers import RUNNING, ListedContainer, list_containers


@click.group(cls=Group)
def containers() -> None:
    """List the containers of this host."""


@containers.command("list")
@click.option("-a", "--all", "every", is_flag=True, help="Not only those that run.")
@options.as_json
@pass_invocation
def list_(invocation: Invocation, *, every: bool, as_json: bool) -> None:
    """List the containers that run."""
    with invocation.system() as system:
        listed = [one for one in list_containers(system) if every or one.state == RUNNING]
    if as_json:
        render.as_json([_tree(one) for one in listed])
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


def _tree(container: ListedContainer) -> dict[str, Any]:
    record = container.record
    tree: dict[str, Any] = {"name": container.name, "state": container.state}
    if record is None:
        return tree | {"problem": container.problem}
    return tree | {
        "image": record.image,
        "digest": record.digest,
        "created": record.created,
        "runtime": record.runtime,
        "serial": record.serial,
    }
