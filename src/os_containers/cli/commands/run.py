"""os-containers run."""

import click

from os_containers.cli import complete, image_options, options, process_options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.image.access import ProxyOptions
from os_containers.operations.command import Command as ContainerCommand
from os_containers.operations.run import run as run_command


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
    examples=(
        ("run etcd -- etcdctl member list", "Run a command next to the service"),
        ("run quay.io/org/etcd:3.5 etcd --version", "Try out an image"),
    ),
)
@click.argument("name_or_image", metavar="NAME|IMAGE", shell_complete=complete.containers_and_images)
@image_options.settings
@process_options.command(required=False)
@options.runtime
@image_options.registry
@pass_invocation
def run(
    invocation: Invocation,
    name_or_image: str,
    *,
    command: ContainerCommand,
    settings: dict[str, str],
    runtime: str | None,
    options: ProxyOptions,
) -> int:
    """Run a command in a container or an image.

    If the container is running, the command runs next to the service, as with `exec`. If it is
    stopped, the command runs in a temporary container with the same files. For an image, the command (by
    default that of the image) runs in a temporary container that leaves nothing behind: its volumes are
    removed, too.

    The exit code is that of the command. If os-containers is killed, the command keeps running; `check` and
    `recover` then tell how to end it.
    """
    with invocation.system() as system:
        return run_command(
            system,
            name_or_image,
            command,
            settings=settings,
            runtime=runtime,
            options=options,
        )
