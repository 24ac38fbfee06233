"""os-containers completion."""

import click

from os_containers.cli.command import Command
from os_containers.cli.shells import Shell, script


@click.command(
    cls=Command,
    examples=(
        (
            "completion bash > ~/.local/share/bash-completion/completions/os-containers",
            "Enable completion in bash",
        ),
        ("completion zsh > ~/.zfunc/_os-containers", "Enable completion in zsh, with ~/.zfunc in $fpath"),
        ("completion fish > ~/.config/fish/completions/os-containers.fish", "Enable completion in fish"),
    ),
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice([one.value for one in Shell]))
def completion(shell: str) -> None:
    """Print the completion script for bash, zsh or fish.

    It completes commands, options, and the names of containers and images. Where os-containers was installed
    as a package of the distribution, it is in place already.
    """
    click.echo(script(Shell(shell)), nl=False)
