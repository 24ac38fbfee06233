"""os-containers completion."""

import click

from os_containers.cli.command import Command
from os_containers.cli.shells import Shell, script


@click.command(
    cls=Command,
    examples=(
        (
            "completion bash > ~/.local/share/bash-completion/completions/os-containers",
            "Complete in bash",
        ),
        ("completion zsh > ~/.zfunc/_os-containers", "Complete in zsh, with ~/.zfunc in $fpath"),
        ("completion fish > ~/.config/fish/completions/os-containers.fish", "Complete in fish"),
    ),
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice([one.value for one in Shell]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, and the names of containers and images.

    A package of the distribution has it in place already.
    """
    click.echo(script(Shell(shell)), nl=False)
