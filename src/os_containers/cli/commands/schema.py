"""os-containers schema."""

import click

from os_containers.cli import render, schemas
from os_containers.cli.command import Command
from os_containers.errors import NotFoundError, UsageError


@click.command(
    cls=Command,
    examples=(
        ("schema images list", "Print the schema of what `os-containers images list --json` prints"),
        ("schema --progress", "Print the schema of what `--progress json` writes"),
    ),
)
@click.argument("words", metavar="[COMMAND...]", nargs=-1)
@click.option(
    "--progress", is_flag=True, help="Print the schema of a line that --progress json writes to stderr."
)
@click.pass_context
def schema(ctx: click.Context, words: tuple[str, ...], *, progress: bool) -> None:
    """Print the JSON schema of a command's --json output.

    Later versions may add keys, but do not remove any.
    """
    if progress is bool(words):
        raise UsageError("either a command or --progress is needed", hint="os-containers schema images list")
    if progress:
        render.as_json(schemas.progress_schema())
        return
    name = " ".join(("os-containers", *words))
    outputs = dict(schemas.outputs(ctx.find_root().command))
    if name not in outputs:
        those = ", ".join(one.partition(" ")[2] for one in outputs)
        raise NotFoundError(f"{name} prints no JSON", hint=f"these do: {those}")
    render.as_json(schemas.schema(name, outputs[name]))
