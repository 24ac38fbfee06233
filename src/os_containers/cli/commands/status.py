"""os-containers status."""

from collections.abc import Sequence

import click

from os_containers.cli import options, render
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.plain import indented, plain
from os_containers.deployment.values import Origin
from os_containers.errors import BrokenError
from os_containers.operations.containers import NO_SERVICE
from os_containers.operations.status import ContainerStatus, DeploymentStatus, ValueStatus, container_status


@click.command(
    cls=Command,
    output=ContainerStatus,
    examples=(
        ("status etcd", "Show the status of a container"),
        ("status --lines 0 --json etcd", "Print it as JSON, without the journal"),
    ),
)
@options.container
@click.option(
    "-n",
    "--lines",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show this many of the most recent lines of the journal.",
)
@options.as_json
@pass_invocation
def status(invocation: Invocation, name: str, *, lines: int, as_json: bool) -> int:
    """Show the status of a container: service, image, deployments, host files, values, and recent journal.

    Memory and CPU time are those of its unit, where systemd accounts for them. The exit code is 10 if the
    container is broken.
    """
    with invocation.system() as system:
        found = container_status(system, name, lines=lines)
    if as_json:
        render.as_json(found)
    else:
        _show(found)
    return BrokenError.exit_code if found.problem else 0


def _state(found: ContainerStatus) -> str:
    if found.state == NO_SERVICE:
        return found.state
    # systemd's words say it already
    is_said = found.state in {"running", found.detail.partition(" ")[0]}
    return found.detail if is_said else f"{found.state}: {found.detail}"


def _pending(found: ContainerStatus) -> str:
    recover = f"os-containers recover {found.name} finishes or undoes it"
    return f"{found.interrupted} was interrupted: {recover}" if found.interrupted else ""


def _given_up(found: ContainerStatus) -> str:
    given_up = found.given_up
    return f"{given_up.digest} on {render.moment(given_up.time)}: {given_up.reason}" if given_up else ""


def _show(found: ContainerStatus) -> None:
    since = f" since {render.moment(found.since)}; {render.since(found.since)}" if found.since else ""
    facts = {
        "State": f"{_state(found)}{since}",
        "Problem": found.problem,
        "Pending": _pending(found),
        "Given up": _given_up(found),
        "Enabled": "yes" if found.enabled else "no",
        "Image": found.image,
        "Root": found.remote,
        "Digest": found.digest,
        "Runtime": found.runtime,
        "Memory": render.human_size(found.memory) if found.memory is not None else "",
        "CPU": f"{found.processor:.3g} s" if found.processor is not None else "",
        "Tasks": str(found.tasks) if found.tasks is not None else "",
    }
    click.echo(found.name)
    for fact, value in facts.items():
        if value:
            click.echo(f"  {fact + ':':9} {plain(value)}")
    _show_list("Deployments", deployment_lines(found.deployments))
    _show_list(
        "Host files", [f"{one.path}{f' ({one.drift})' if one.drift else ''}" for one in found.host_files]
    )
    _show_list("Values", [f"{one.name}={one.text}{_by_whom(one)}" for one in found.values if _is_said(one)])
    _show_list("Journal", found.log)


def _is_said(value: ValueStatus) -> bool:
    return value.origin in {Origin.SET, Origin.DEFAULT}


def _by_whom(value: ValueStatus) -> str:
    return " (set)" if value.origin is Origin.SET else ""


def deployment_lines(deployments: Sequence[DeploymentStatus]) -> list[str]:
    """Return a line for each deployment, one below the other."""
    width = max((len(_serial(one)) for one in deployments), default=0)
    return [_deployment(one, width) for one in deployments]


def _serial(one: DeploymentStatus) -> str:
    return "factory" if one.preinstalled else str(one.serial)


def _deployment(one: DeploymentStatus, width: int) -> str:
    previous = "  (rollback goes here)" if one.previous else ""
    source = one.image or one.remote
    mark = "*" if one.active else " "
    return f"{mark} {_serial(one):>{width}}  {source}  {render.since(one.created)}{previous}"


def _show_list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"  {heading}:")
    for line in lines:
        click.echo(indented(f"    {line}"))
