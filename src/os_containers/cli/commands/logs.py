"""os-containers logs."""

import click

from os_containers.cli import options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.control import become_journal, moment_of


@click.command(
    cls=Command,
    examples=(
        ("logs --since today etcd", "Show what a service logged today"),
        ("logs --follow etcd", "Follow the journal of a service"),
    ),
)
@options.container
@click.option("-f", "--follow", is_flag=True, help="Show new entries as they arrive, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="Show only this many of the most recent lines.",
)
@click.option(
    "--since",
    metavar="TIME",
    help='Show no entries older than TIME: "today", "2h" (two hours ago), "2026-11-26 10:00".',
)
@click.option("--until", metavar="TIME", help="Show no entries newer than TIME.")
@pass_invocation
def logs(
    invocation: Invocation,
    name: str,
    *,
    follow: bool,
    lines: int | None,
    since: str | None,
    until: str | None,
) -> None:
    """Show the journal of a container's service: its own output, and what systemd logged about it."""
    times = {"--since": since, "--until": until}
    settings = {"--lines": lines} | {
        option: moment_of(text) for option, text in times.items() if text is not None
    }
    words = [f"{option}={value}" for option, value in settings.items() if value is not None]
    with invocation.system() as system:
        become_journal(system, name, [*words, *(["--follow"] if follow else [])])
