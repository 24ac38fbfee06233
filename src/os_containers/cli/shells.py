"""What makes bash, zsh and fish complete our command line; loaded only when one of them asks.

A shell gives the line up to the cursor in _OS_CONTAINERS_LINE and gets one word a line, with a tab and
what it is; `:file` or `:dir` says that it may complete a path itself. No space follows a word that ends in
`=`, `/` or `:`.
"""

import os
from enum import StrEnum

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

_LINE = "_OS_CONTAINERS_LINE"
# where bash begins a new word within what is one for us
_BREAKS = ":="

_BASH = """\
# bash completion for os-containers

_os_containers() {
    local value
    COMPREPLY=()
    while IFS=$'\\t' read -r value _; do
        case $value in
            "") ;;
            :file) compopt -o default ;;
            :dir) compopt -o dirnames ;;
            *[=/:]) compopt -o nospace; printf -v value %q "$value"; COMPREPLY+=("$value") ;;
            *) printf -v value %q "$value"; COMPREPLY+=("$value") ;;
        esac
    done < <(_OS_CONTAINERS_COMPLETE=bash_complete _OS_CONTAINERS_BREAKS=$COMP_WORDBREAKS \\
        _OS_CONTAINERS_LINE=${COMP_LINE:0:COMP_POINT} "$1" 2>/dev/null)
}

complete -F _os_containers os-containers os-container
"""

_ZSH = """\
#compdef os-containers os-container
# zsh completion for os-containers

_os_containers() {
    local value help
    local -a plain plain_shown open open_shown
    while IFS=$'\\t' read -r value help; do
        case $value in
            ('') ;;
            (:file) compset -P '*='; _files; return ;;
            (:dir) compset -P '*='; _files -/; return ;;
            (*[=/:]) open+=("$value"); open_shown+=("$value${help:+  -- $help}") ;;
            (*) plain+=("$value"); plain_shown+=("$value${help:+  -- $help}") ;;
        esac
    done < <(_OS_CONTAINERS_COMPLETE=zsh_complete _OS_CONTAINERS_LINE="${(j: :)words[1,CURRENT]}" \\
        $words[1] 2>/dev/null)
    (( $#plain )) && compadd -l -d plain_shown -a plain
    (( $#open )) && compadd -S '' -l -d open_shown -a open
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _os_containers "$@"
else
    compdef _os_containers os-containers os-container
fi
"""

_FISH = """\
# fish completion for os-containers

function __os_containers
    set -lx _OS_CONTAINERS_COMPLETE fish_complete
    set -lx _OS_CONTAINERS_LINE (commandline --current-process --cut-at-cursor | string collect)
    for row in (os-containers 2>/dev/null)
        switch $row
            case ''
            case :file
                __fish_complete_path (commandline --current-token)
            case :dir
                __fish_complete_directories (commandline --current-token)
            case '*'
                echo -- $row
        end
    end
end

complete --command os-containers --no-files --arguments '(__os_containers)'
complete --command os-container --no-files --arguments '(__os_containers)'
"""


class Shell(StrEnum):
    """The shells that we know."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def script(shell: Shell) -> str:
    """Return what the shell is to read once."""
    return _SCRIPTS[shell]


class _Asked(ShellComplete):
    """What one shell asks, and how it wants the answer."""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get(_LINE, "")
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        return words, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, _ = incomplete.partition("=")
        found = super().get_completions(args, incomplete)
        if not found and args and args[-1].startswith("--"):
            # an option at the end of a line keeps click from seeing the words before it
            found = super().get_completions(args[:-1], f"{args[-1]}={incomplete}")
        # click completes what is behind --option=, the shells the whole word
        before = option + equals if equals and option.startswith("--") else ""
        return [_prefixed(before, one) for one in found]

    def format_completion(self, item: CompletionItem) -> str:
        if item.type != "plain":
            return f":{item.type}"
        return f"{item.value}\t{item.help or ''}"


def _prefixed(before: str, item: CompletionItem) -> CompletionItem:
    return CompletionItem(before + item.value, item.type, item.help) if item.type == "plain" else item


class _Bash(_Asked):
    name = "bash"

    def format_completion(self, item: CompletionItem) -> str:
        if item.type != "plain":
            return f":{item.type}"
        _, incomplete = self.get_completion_args()
        breaks = [one for one in _BREAKS if one in os.environ.get("_OS_CONTAINERS_BREAKS", "")]
        return str(item.value)[max((incomplete.rfind(one) for one in breaks), default=-1) + 1 :]


class _Zsh(_Asked):
    name = "zsh"


class _Fish(_Asked):
    name = "fish"


def answer(command: click.Command) -> None:
    """Print the words that could follow."""
    for kind in (_Bash, _Zsh, _Fish):
        add_completion_class(kind)
    command.main(prog_name="os-containers")
