"""Options that commands of every kind have, each written once."""

import click

runtime = click.option("--runtime", metavar="NAME|PATH", help="OCI runtime, for example crun or runc.")
new_name = click.option(
    "--name", help="The container's name; by default the image's last part, with its tag."
)
as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")

# What a shell completes is said once for every command.
container = click.argument("name", metavar="NAME")
image = click.argument("image", metavar="IMAGE")
