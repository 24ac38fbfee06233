"""The entry point: from the command line to one command, and from an error to an exit code."""

import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from os_containers.cli import options, voice
from os_containers.cli.command import Group
from os_containers.cli.context import Invocation
from os_containers.cli.failure import tell
from os_containers.errors import OsContainersError
from os_containers.faults import system_fault
from os_containers.version import VERSION

if TYPE_CHECKING:
    import logging

    from click.shell_completion import CompletionItem

# Where each command is, and what it does in a few words: help must not load them all.
COMMANDS = {
    "check": ("check:check", "Report damage, leftovers and interrupted changes."),
    "completion": ("completion:completion", "Print the completion script for bash, zsh or fish."),
    "config": ("config:config", "Show the configuration."),
    "containers": ("containers:containers", "List and delete containers."),
    "exec": ("exec:exec_", "Run a command in a running container."),
    "images": ("images:images", "List, inspect, verify, mount, tag, delete and prune images."),
    "install": ("install:install", "Install a container from an image."),
    "package": ("package:package", "Build a deb or rpm package from an image."),
    "logs": ("logs:logs", "Show the journal of a container's service."),
    "pull": ("pull:pull", "Pull an image into the store."),
    "recover": ("recover:recover", "Finish or undo interrupted changes."),
    "repair": ("repair:repair", "Repair what check finds."),
    "restart": ("restart:restart", "Restart the services of containers."),
    "rollback": ("rollback:rollback", "Return to the previous deployment of a container."),
    "run": ("run:run", "Run a command in a container or an image."),
    "schema": ("schema:schema", "Print the JSON schema of a command's --json output."),
    "start": ("start:start", "Start the services of containers."),
    "status": ("status:status", "Show the status of a container."),
    "stop": ("stop:stop", "Stop the services of containers."),
    "uninstall": ("uninstall:uninstall", "Remove a container."),
    "update": ("update:update", "Update a container to a newer image or to other values."),
}

_INTERRUPTED = "nothing is half done; you can run the same command again"

# A shell that wants to complete a line sets it, as click has it.
COMPLETION = "_OS_CONTAINERS_COMPLETE"


class Signalled(BaseException):
    """A signal asked us to end: what is under way is undone first."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class LazyGroup(Group):
    """A group that imports a command when it is called."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"os_containers.cli.commands.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong line in our own table
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell wants it

        names = [name for name in sorted(self._table) if name.startswith(incomplete)]
        # not the group's own, which loads each of them
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=self._table[name][1]) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][1]) for name in sorted(self._table)])


def _choose_form(ctx: click.Context, parameter: click.Parameter, form: str) -> None:  # noqa: ARG001
    voice.choose(voice.Form(form))


@click.command(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="As root, it manages system services; as another user, those of systemctl --user.",
)
@options.runtime
@click.option(
    "--lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Wait at most this long for another command to finish (default: 60, or as set in config.toml).",
)
@click.option(
    "--progress",
    type=click.Choice([form.value for form in voice.Form]),
    default=voice.Form.AUTO.value,
    is_eager=True,
    expose_value=False,
    callback=_choose_form,
    help="How to report progress on stderr: bars on a terminal and lines elsewhere (auto), lines (plain), "
    "JSON, or only warnings and errors (none).",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the programs that are run.")
@click.option("--debug", is_flag=True, help="Show all debug messages, with tracebacks.")
@click.version_option(VERSION, prog_name="os-containers", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context, runtime: str | None, lock_timeout: float | None, *, verbose: bool, debug: bool
) -> None:
    """Run host services as OCI containers, with systemd and an OCI runtime."""
    import logging  # noqa: PLC0415 - --help and --version want none of it

    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="%(message)s", handlers=[_log_handler()]
    )
    if verbose:
        logging.getLogger("os_containers.process").setLevel(logging.DEBUG)
    ctx.obj = Invocation(runtime=runtime, lock_timeout=lock_timeout)


def _log_handler() -> "logging.Handler":
    import logging  # noqa: PLC0415 - as above

    handler = logging.StreamHandler()
    if voice.chosen() is voice.Form.JSON:
        from os_containers.cli.json_lines import LogFormatter  # noqa: PLC0415 - only for programs

        handler.setFormatter(LogFormatter())
    return handler


def main() -> None:
    """Run the command line and exit with its code."""
    _open_closed_streams()
    try:
        _hear_signals(_on_signal)
        code = _run()
        # from here on there is nothing to undo
        _hear_signals(signal.SIG_DFL)
    except Signalled as once_more:
        # while the first one was told of
        code = 128 + once_more.number
    try:
        sys.stdout.flush()
    except OSError as error:
        # python must not complain about it once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # a reader that has enough is no failure, a full disk is one
        code = code if isinstance(error, BrokenPipeError) else code or _fail(*_explanation(error))
    sys.exit(code)


def _hear_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _open_closed_streams() -> None:
    """Give programs that were called with closed streams something to write to."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # the lowest free descriptor is the one that was closed
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _run() -> int:
    if COMPLETION in os.environ:
        from os_containers.cli import shells  # noqa: PLC0415 - only for a shell that asks

        shells.answer(cli)
    try:
        result = cli.main(prog_name="os-containers", standalone_mode=False)
    except click.ClickException as error:
        return _complain(error)
    except BrokenPipeError:
        return 0
    except (Exception, Signalled) as error:  # noqa: BLE001 - no traceback reaches the user
        _trace(error)
        return _fail(*_explanation(error))
    return result if isinstance(result, int) else 0


def _complain(error: click.ClickException) -> int:
    """Tell what is wrong with the command line, and return the exit code."""
    from os_containers.cli.usage import explain  # noqa: PLC0415 - only for a mistake

    return _fail(*explain(error), error.exit_code)


def _trace(error: BaseException) -> None:
    import logging  # noqa: PLC0415 - as above

    logging.getLogger(__name__).debug("failed", exc_info=error)


def _explanation(error: BaseException) -> tuple[str, str, int]:
    """Return the fact, what to do next, and the exit code."""
    match error:
        case OsContainersError():
            return error.message, error.hint or error.next_step, error.exit_code
        case Signalled():
            return "interrupted", _after_interruption(error), 128 + error.number
        case click.Abort():
            return "interrupted", _after_interruption(error), 128 + signal.SIGINT
        case OSError():
            return _explanation(system_fault(error))
        case MemoryError():
            return _explanation(system_fault(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))))
        case _:
            return (
                f"internal error: {type(error).__name__}: {error}",
                "please report it, with the output of --debug",
                1,
            )


def _after_interruption(error: BaseException) -> str:
    """Return what goes on without us, as who was interrupted has noted it; mostly nothing does."""
    return "; ".join(getattr(error, "__notes__", ())) or _INTERRUPTED


def _fail(message: str, hint: str, code: int) -> int:
    tell(message, hint, code)
    return code


def _on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    raise Signalled(number)
