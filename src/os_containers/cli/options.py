"""Options that commands of every kind have, each written once."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from os_containers.cli.context import Invocation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from os_containers.cli.complete import Completer


def _later(name: str) -> "Completer":
    """Return a function of cli/complete.py that is loaded when a shell asks: --help wants none of it."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from os_containers.cli import complete as completers  # noqa: PLC0415 - see above

        found: Completer = getattr(completers, name)
        return found(ctx, parameter, incomplete)

    return complete


def _or_global(ctx: click.Context, _: click.Parameter, runtime: str | None) -> str | None:
    before = ctx.find_object(Invocation)
    return runtime or (before.runtime if before else None)


runtime = click.option(
    "--runtime",
    metavar="NAME|PATH",
    callback=_or_global,
    help="OCI runtime to use, such as crun or runc.",
    shell_complete=_later("runtimes"),
)
new_name = click.option(
    "--name",
    metavar="NAME",
    help="Name of the container; by default the last part of the image's name, with its tag unless that is "
    "latest.",
)
rootfs = click.option(
    "--rootfs",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run the root file system in this directory, without copying it.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
no_heading = click.option("-n", "--no-heading", is_flag=True, help="Do not print the column headings.")
no_truncate = click.option("--no-truncate", is_flag=True, help="Print digests in full.")
dry_run = click.option(
    "--dry-run",
    "--display",
    "dry_run",
    is_flag=True,
    help="Show what would be done, without changing anything.",
)
plan_as_json = click.option("--json", "as_json", is_flag=True, help="With --dry-run, print the plan as JSON.")

# What a shell completes is said once for every command.
container = click.argument("name", metavar="NAME", shell_complete=_later("containers"))
containers = click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=_later("containers")
)
any_container = click.argument("name", metavar="[NAME]", required=False, shell_complete=_later("containers"))
image = click.argument("image", metavar="IMAGE", shell_complete=_later("images"))
any_image = click.argument("image", metavar="[IMAGE]", required=False, shell_complete=_later("images"))
images = click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, shell_complete=_later("stored_images")
)
