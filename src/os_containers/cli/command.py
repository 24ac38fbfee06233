"""A command that shows in its help how it is called; the man pages are made of the same."""

from collections.abc import Sequence
from typing import Any

import click

from os_containers.cli import voice
from os_containers.errors import UsageError

# What is typed after "os-containers ", and what one gets by it.
Example = tuple[str, str]


class ListOf:
    """A list of several kinds of objects: no type says that so that msgspec reads it."""

    def __init__(self, *kinds: type) -> None:
        self.kinds = kinds


class Command(click.Command):
    """A command with examples; output is the type of what it prints with --json, which schemas show."""

    def __init__(
        self, *args: Any, examples: Sequence[Example] = (), output: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.output = output

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for words, what in self.examples:
                    formatter.write_text(what + ":")
                    formatter.write(f"{'':{formatter.current_indent}}  os-containers {words}\n")


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            if voice.chosen() is voice.Form.JSON:
                raise UsageError("a command is missing", hint=f"{ctx.command_path} --help lists them")
            # whatever the version of click: help, and that it is not what was to be done
            click.echo(ctx.get_help(), err=True)
            ctx.exit(UsageError.exit_code)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.resilient_parsing or self.get_command(ctx, args[0]):
            return super().resolve_command(ctx, args)
        from os_containers.cli.usage import no_command  # noqa: PLC0415 - only for a mistake

        fact, hint = no_command(ctx, args[0])
        raise UsageError(fact, hint=hint)
