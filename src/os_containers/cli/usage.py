"""What click says about a command line, in our words: one line of fact, one of what to do next."""

import difflib
from collections.abc import Iterable

import click

# What people type who know podman, docker, atomic or apt.
_ELSEWHERE_IN_GROUP = {"ls": "list", "remove": "delete", "rm": "delete", "unmount": "umount"}
_ELSEWHERE = {
    "fsck": "check",
    "help": "--help",
    "ls": "containers list",
    "list": "containers list",
    "ps": "containers list",
    "remove": "uninstall",
    "rm": "uninstall",
    "rmi": "images delete",
    "upgrade": "update",
    "version": "--version",
}


def explain(error: click.ClickException) -> tuple[str, str]:
    """Return the fact and the next step."""
    context = getattr(error, "ctx", None)
    program = context.command_path if context else "os-containers"
    match error:
        case click.NoSuchOption():
            meant = _before_the_command(error.option_name, context) or did_you_mean(
                error.possibilities or _options_like(error.option_name, context)
            )
            return (
                f"there is no option {error.option_name}",
                meant or f"{program} --help lists all options",
            )
        case click.MissingParameter() if error.param:
            return f"{_name(error.param)} is missing", f"usage: {_usage(context, program)}"
        case click.BadParameter() if error.param:
            return f"{_name(error.param)}: {_fact(error.message)}", f"{program} --help shows what is allowed"
        case _:
            return _fact(error.format_message()), f"{program} --help shows the usage"


def no_command(ctx: click.Context, name: str) -> tuple[str, str]:
    """Return the fact and the next step for a command that a group does not have."""
    group = ctx.command
    assert isinstance(group, click.Group)  # noqa: S101 - who else has commands
    known = group.list_commands(ctx)
    near = difflib.get_close_matches(name, known) or [one for one in known if one.startswith(name)]
    elsewhere = _ELSEWHERE_IN_GROUP if ctx.parent else _ELSEWHERE
    if not near and name in elsewhere:
        near = [elsewhere[name]]
    meant = did_you_mean(f"{ctx.command_path} {one}" for one in near)
    return f"{ctx.command_path} has no command {name!r}", meant or f"{ctx.command_path} --help lists them"


def did_you_mean(words: Iterable[str]) -> str:
    """Return the question, nothing without words."""
    found = list(words)
    return f"did you mean {' or '.join(found)}?" if found else ""


def _before_the_command(name: str, context: click.Context | None) -> str:
    """Return where an option belongs that is for all commands, nothing for another."""
    root = context.find_root() if context else None
    if root is None or root is context or all(name not in one.opts for one in root.command.params):
        return ""
    words = context.command_path.removeprefix(root.command_path) if context else ""
    return f"give it before the command: {root.command_path} {name}{words}"


def _options_like(name: str, context: click.Context | None) -> list[str]:
    parameters = context.command.params if context else ()
    return difflib.get_close_matches(name, [one for parameter in parameters for one in parameter.opts])


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _usage(context: click.Context | None, program: str) -> str:
    pieces = context.command.collect_usage_pieces(context) if context else []
    return " ".join([program, *pieces])


def _fact(message: str) -> str:
    text = " ".join(message.split()).removesuffix(".")
    return f"{text[:1].lower()}{text[1:]}"
