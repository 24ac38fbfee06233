"""os-containers update."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from os_containers.cli import complete, image_options, options, render
from os_containers.cli.command import Command, ListOf
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.failure import each
from os_containers.cli.planned import show_plans
from os_containers.cli.updated_containers import show_updated, told
from os_containers.deployment.container import all_containers
from os_containers.errors import UsageError
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.operations.choices import Choices
from os_containers.operations.given_up import OnGivenUp
from os_containers.operations.plan import Plan
from os_containers.operations.preview import plan_update
from os_containers.operations.system import System
from os_containers.operations.update import Source, Updated
from os_containers.operations.update import update as update_container
from os_containers.operations.update_all import UpdatedContainer, update_all


@click.command(
    cls=Command,
    examples=(
        ("update --pull etcd", "Pull a newer image, and switch to it"),
        ("update --set CLUSTER=green etcd", "Change a value"),
        ("update --rebase quay.io/org/etcd:3.6 etcd", "Switch to another image"),
        ("update --dry-run etcd", "See what an update to the image in the store would change"),
        ("update --all --pull", "Update all containers; each can be rolled back on its own"),
    ),
    output=ListOf(UpdatedContainer, Plan),
)
@options.any_container
@click.option(
    "-a", "--all", "every", is_flag=True, help="Update all containers; if one fails, continue with the next."
)
@click.option("--rebase", metavar="IMAGE", help="Switch to another image.", shell_complete=complete.images)
@options.rootfs
@click.option("--pull", is_flag=True, help="Pull the image first, if the registry has a newer one.")
@image_options.choices
@click.option(
    "--unset",
    metavar="NAME",
    multiple=True,
    shell_complete=complete.set_variables,
    help="Drop the value that was set for a variable; the image's default applies again.",
)
@image_options.registry
@options.dry_run
@click.option(
    "--json", "as_json", is_flag=True, help="Print the plan of --dry-run, or the summary of --all, as JSON."
)
@pass_invocation
def update(
    invocation: Invocation,
    name: str | None,
    *,
    every: bool,
    rebase: str | None,
    rootfs: Path | None,
    pull: bool,
    choices: Choices,
    unset: tuple[str, ...],
    options: ProxyOptions,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Update a container to the image now in the store, or to other values.

    The service is restarted if it was running, and started if it had failed. If it does not start, the
    previous deployment is active again, and the exit code is 9. A container that was installed with --rootfs
    is made again from that directory as it is now, or from another one with --rootfs.

    With --all, every container is updated, one after the other. A summary shows the result of each, and the
    exit code is that of the first failure. --all does not retry a version that did not start, or that was
    rolled back; to try it again, name the container. Nor does it update what the system provides in
    /usr/lib/containers/atomic, unless that was updated before.
    """
    choices = replace(choices, unset=unset)
    source = Source.REGISTRY if pull else Source.STORE_OR_REGISTRY if rebase else Source.STORE
    only_one = bool(rebase or rootfs or replace(choices, runtime=None) != Choices())
    _check(name, every=every, only_one=only_one, as_json=as_json and not dry_run)
    if dry_run:
        plan = functools.partial(
            plan_update,
            choices=choices,
            rebase=rebase,
            rootfs=rootfs,
            newest=options if pull else None,
            on_given_up=OnGivenUp.SKIP if every else OnGivenUp.TRY_AGAIN,
        )
        with invocation.system() as system:
            return _show_plans(system, name, plan, as_json=as_json)
    if name is None:
        with invocation.system() as system:
            updates = update_all(system, choices, source=source, options=options)
            return tell_all(updates, as_json=as_json)
    with invocation.system() as system:
        updated = update_container(
            system, name, choices, rebase=rebase, rootfs=rootfs, source=source, options=options
        )
    if not updated.changed:
        click.echo(_unchanged(updated, source))
    return 0


def _unchanged(updated: Updated, source: Source) -> str:
    record = updated.deployment.record
    may_be_newer = source is Source.STORE and not record.remote and not is_local(record.image)
    return "Latest version already deployed" + ("; --pull asks the registry" if may_be_newer else "")


def _show_plans(
    system: System, name: str | None, plan: Callable[[System, str], Plan], *, as_json: bool
) -> int:
    plans: list[Plan] = []
    names = [name] if name else [one.name for one in all_containers(system.paths)]
    code = each(names, lambda one: plans.append(plan(system, one)))
    show_plans(plans, as_json=as_json)
    return code


def tell_all(updates: Iterable[UpdatedContainer], *, as_json: bool) -> int:
    """Tell of each and of all in the end, also when a signal is the end."""
    found: list[UpdatedContainer] = []
    try:
        for one in told(updates):
            found.append(one)  # noqa: PERF402 - what came until then
    except BaseException:
        if found:
            _tell(found, as_json=as_json)
        raise
    return _tell(found, as_json=as_json)


def _tell(found: Sequence[UpdatedContainer], *, as_json: bool) -> int:
    if as_json:
        render.as_json(found)
    else:
        show_updated(found)
    return next((one.exit_code for one in found if one.exit_code), 0)


def _check(name: str | None, *, every: bool, only_one: bool, as_json: bool) -> None:
    if every and (name is not None or only_one):
        raise UsageError(
            "--all updates each container with its own image and values",
            hint="name one container for --set, --rebase or --allow-host-path",
        )
    if not every and name is None:
        raise UsageError("no container is named", hint="name one, or give --all")
    if as_json and not every:
        raise UsageError("--json without --dry-run needs --all", hint="leave it out, or give --all")
