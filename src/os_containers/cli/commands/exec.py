"""os-containers exec."""

import click

from os_containers.cli import options, process_options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.operations.command import Command as ContainerCommand
from os_containers.operations.run import execute


@click.command(
    "exec",
    cls=Command,
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    examples=(
        ("exec etcd -- etcdctl member list", "Run a command next to the service"),
        ("exec --user nobody --env LANG=C.UTF-8 web sh", "Start a shell as another user"),
    ),
)
@options.container
@process_options.command(required=True)
@options.runtime
@pass_invocation
def exec_(invocation: Invocation, name: str, *, command: ContainerCommand, runtime: str | None) -> int:
    """Run a command in a running container.

    The exit code is that of the command. Unless options say otherwise, the command has the user, environment
    and working directory of the service. It gets a terminal of its own if standard input is a terminal.
    If os-containers is killed, the command keeps running, as long as its container does; `check` and
    `recover` then tell how to end it.

    To run a command in a stopped container or in an image, use `run`.
    """
    with invocation.system() as system:
        return execute(system, name, command, runtime=runtime)
