"""Completion, in real shells: commands, options, and the names of what is there."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import pytest
from images import build_image

from manual.pages import root_page
from os_containers.cli.main import cli
from os_containers.cli.shells import Shell, script
from os_containers.deployment.deployment import save_record
from os_containers.deployment.record import Record
from os_containers.deployment.values import Origin, Value
from os_containers.ostree.refs import image_ref

IMAGES = ("docker.io/library/etcd:3.5", "docker.io/library/etcd:3.6", "quay.io/org/agent:1")
CONTAINERS = ("agent", "etcd", "etcd-2")
SHELLS = [
    pytest.param(
        shell, id=shell, marks=pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")
    )
    for shell in Shell
]


RECORD = Record(
    serial=1,
    image=IMAGES[0],
    digest="sha256:" + "0" * 64,
    commit="0" * 64,
    created=0,
    runtime="crun",
    values={
        "NAME": Value("etcd", Origin.FORCED),
        "PORT": Value("2379", Origin.DEFAULT),
        "UUID": Value("1-2-3", Origin.GENERATED),
    },
)

# How each is started, what it reads first, and a key, Ctrl-O, that writes the line to a file.
STARTS = {
    Shell.BASH: ("bash", "--noprofile", "--norc", "-i"),
    Shell.ZSH: ("zsh", "-f", "-i"),
    Shell.FISH: ("fish", "--no-config", "--interactive"),
}
BEGINNINGS = {
    Shell.BASH: r"""
write() { printf %s "$READLINE_LINE" >line.new; mv line.new line; READLINE_LINE=; }
bind -x '"\C-o": write'
source completion
""",
    Shell.ZSH: r"""
autoload -U compinit && compinit -u -D
write() { print -rn -- "$BUFFER" >line.new; mv line.new line; BUFFER=; }
zle -N write; bindkey -e; bindkey '^O' write
source completion
""",
    Shell.FISH: r"""
function write; commandline --current-buffer | string collect >line.new; mv line.new line; commandline ''; end
bind \co write
source completion
""",
}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, shell: Shell, environment: dict[str, str], directory: Path) -> None:
        self._directory = directory
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            ("setsid", "--ctty", *STARTS[shell]),
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        (directory / "completion").write_text(script(shell))
        (directory / "beginning").write_text(BEGINNINGS[shell])
        self._type("source ./beginning; touch ready\r")
        self._wait_for(directory / "ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def complete(self, typed: str) -> str:
        """Return the line when something was typed, and the tabulator after it."""
        self._type(f"{typed}\t\x0f")
        line = self._directory / "line"
        self._wait_for(line)
        text = line.read_text()
        line.unlink()
        return text.rstrip("\n")

    def _type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def _wait_for(self, file: Path) -> None:
        """Wait for a file, and read meanwhile what the shell shows: nobody writes to a full terminal."""
        shown = b""
        deadline = time.monotonic() + 30
        while not file.exists():
            if select.select([self._master], [], [], 0.02)[0]:
                shown += os.read(self._master, 4096)
            assert time.monotonic() < deadline, shown


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return one in which there are containers and images, and the shells find the program."""
    state = tmp_path / "state"
    state.mkdir()
    for name in CONTAINERS:
        path = state / f".deploy/{name}/1"
        path.mkdir(parents=True)
        (state / name).symlink_to(f".deploy/{name}/1")
        save_record(path, RECORD)
    for ref in map(image_ref, IMAGES):
        path = state / ".storage/repo/refs/heads" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0" * 64 + "\n")
    return {
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "OS_CONTAINERS_CHECKOUT_PATH": str(state),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
    }


# what is typed before the tabulator, and the line that is there afterwards
LINES = [
    ("os-containers rec", "os-containers recover "),
    ("os-containers check --qu", "os-containers check --quick "),
    (
        "os-containers containers list --filter state=fa",
        "os-containers containers list --filter state=failed ",
    ),
    ("os-containers images ta", "os-containers images tag "),
    ("os-containers rollback ag", "os-containers rollback agent "),
    ("os-containers rollback et", "os-containers rollback etcd"),
    ("os-containers install qu", "os-containers install quay.io/org/agent:1 "),
    ("os-containers install docker.io/library/etcd:3.5", "os-containers install docker.io/library/etcd:3.5 "),
    ("os-containers install docker.io/library/etcd:", "os-containers install docker.io/library/etcd:3."),
    ("os-containers images tag quay", "os-containers images tag quay.io/org/agent:1 "),
    ("os-containers update --rebase qu", "os-containers update --rebase quay.io/org/agent:1 "),
    ("os-containers update --rebase=qu", "os-containers update --rebase=quay.io/org/agent:1 "),
    ("os-containers install oci-a", "os-containers install oci-archive:"),
    ("os-containers pull oci:stat", "os-containers pull oci:state/"),
    ("os-containers pull --authfile sta", "os-containers pull --authfile state/"),
    # of a container that the line names
    ("os-containers update etcd --set PO", "os-containers update etcd --set PORT="),
    ("os-containers update etcd --set PORT=2", "os-containers update etcd --set PORT=2379 "),
    ("os-containers update etcd --set=PO", "os-containers update etcd --set=PORT="),
    ("os-containers update etcd --set N", "os-containers update etcd --set N"),
    ("os-container uninstall ag", "os-container uninstall agent "),
]


def test_every_argument_that_is_a_name_is_completed() -> None:
    """Of a container or an image: options.container and the like bring it, or shell_complete=."""
    for page in root_page(cli, "os-containers").walk():
        for parameter in page.command.params:
            shown = parameter.human_readable_name
            if isinstance(parameter, click.Argument) and {"NAME", "IMAGE"} & set(re.findall("[A-Z]+", shown)):
                assert parameter._custom_shell_complete, f"{page.name}: {shown}"


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_the_variables_of_an_image_are_completed_when_it_is_here(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Those in its templates, with their defaults; not what os-containers decides or generates."""
    exports = {
        "manifest.json": '{"defaultValues": {"PORT": "80"}}',
        "service.template": "[Service]\nExecStart=$EXEC_START\n# $CLUSTER $PORT $STATE_DIRECTORY $NAME\n",
    }
    shutil.rmtree(tmp_path / "state")
    layout = build_image(tmp_path / "layout", {"/a": "1"}, exports=exports, name="example.org/app:1")
    program = Path(sys.executable).with_name("os-containers")
    subprocess.run([program, "pull", f"oci:{layout}"], env=environment, check=True, capture_output=True)
    asked = {
        **environment,
        "_OS_CONTAINERS_COMPLETE": "zsh_complete",
        "_OS_CONTAINERS_LINE": "os-containers install example.org/app:1 --set ",
    }
    done = subprocess.run([program], env=asked, check=True, capture_output=True, text=True)
    assert done.stdout == "CLUSTER=\thas no default\nPORT=\t80\n"
    assert not (tmp_path / "state/.staging").exists() or not any((tmp_path / "state/.staging").iterdir())


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tabulator_completes_the_line(shell: Shell, environment: dict[str, str], tmp_path: Path) -> None:
    """In a shell on a terminal, as a person types."""
    with Terminal(shell, environment, tmp_path) as terminal:
        got = {typed: terminal.complete(typed) for typed, _ in LINES}
    assert got == dict(LINES)
