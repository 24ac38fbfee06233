"""Options that commands of every kind have, each written once."""

import click

from os_containers.cli import complete

runtime = click.option(
    "--runtime",
    metavar="NAME|PATH",
    help="OCI runtime, for example crun or runc.",
    shell_complete=complete.runtimes,
)
as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")

# What a shell completes is said once for every command.
container = click.argument("name", metavar="NAME", shell_complete=complete.containers)
image = click.argument("image", metavar="IMAGE", shell_complete=complete.images)
stored_image = click.argument("image", metavar="IMAGE", shell_complete=complete.stored_images)
