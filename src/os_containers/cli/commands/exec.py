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
        ("exec etcd -- etcdctl member list", "Run a command beside the service"),
        ("exec --user nobody --env LANG=C.UTF-8 web sh", "Look around as somebody else"),
    ),
)
@options.container
@process_options.command(required=True)
@options.runtime
@pass_invocation
def exec_(invocation: Invocation, name: str, *, command: ContainerCommand, runtime: str | None) -> int:
    """Run a command in a running container; its exit code becomes ours.

    It has the user, the environment and the directory of the service, if nothing else is said, and a terminal
    of its own where our input is one.

    `run` does the same, and works beside a stopped container and in an image, too.
    """
    with invocation.system() as system:
        return execute(system, name, command, runtime=runtime)
