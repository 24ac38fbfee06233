"""From the command line to an exit code; in a process of its own, as a user calls it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import call
from images import build_image

COMMANDS = ["containers", "images", "install", "pull", "rollback", "run", "uninstall", "update"]


def test_help_names_every_command(tmp_path: Path) -> None:
    """Each command explains itself."""
    overview = call("--help", home=tmp_path)
    assert overview.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in overview.stdout
        one = call(command, "--help", home=tmp_path)
        assert (one.returncode, one.stderr) == (0, "")
        assert one.stdout.startswith(f"Usage: os-containers {command}")


def test_version_is_one_line(tmp_path: Path) -> None:
    """For scripts and bug reports."""
    assert call("--version", home=tmp_path).stdout.split()[0] == "os-containers"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nonsense"], 2),
        (["pull", "--authfile", "/no/such/file", "etcd"], 2),
        (["install"], 2),
        (["install", "--set", "NAME=x", "etcd"], 2),
        (["install", "--set", "A", "etcd"], 2),
        (["install", "--system-package=build", "--dry-run", "etcd"], 2),
        (["install", "--system-package=build", "--rootfs", "/srv"], 2),
        (["uninstall", "../x"], 2),
        (["uninstall", "nothing"], 3),
        (["rollback", "nothing"], 3),
        (["update", "nothing"], 3),
        (["images", "tag", "nothing", "x"], 3),
        (["images", "delete", "nothing"], 3),
    ],
)
def test_i21_errors_are_lines_with_a_stable_code(words: list[str], code: int, tmp_path: Path) -> None:
    """Never a traceback; what was meant as output stays empty."""
    done = call(*words, home=tmp_path)
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "rror" in done.stderr


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_an_image_by_its_digest_has_no_tag(tmp_path: Path) -> None:
    """The list says so as those of others do; --no-truncate gives the name with which to delete it."""
    layout = build_image(tmp_path / "layout", {"/a": "1"}, name="example.org/app:1")
    by_digest = f"example.org/app@sha256:{'a' * 64}"
    for words in (("pull", f"oci:{layout}"), ("images", "tag", "example.org/app:1", by_digest)):
        assert call(*words, home=tmp_path).returncode == 0
    rows = call("images", "list", home=tmp_path).stdout.splitlines()[1:]
    assert sorted(row.split()[:2] for row in rows) == [
        ["example.org/app", "1"],
        ["example.org/app", "<none>"],
    ]
    rows = call("images", "list", "--no-truncate", home=tmp_path).stdout.splitlines()[1:]
    assert sorted(row.split()[:2] for row in rows) == [["example.org/app", "1"], [by_digest, "<none>"]]


def test_our_errors_are_one_fact_and_one_hint(tmp_path: Path) -> None:
    """Control characters are escaped."""
    done = call("uninstall", "a\x1b[31m", home=tmp_path)
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check"], 10),
        (["check", "--json"], 10),
        (["update", "--dry-run", "app"], 10),
        (["rollback", "--dry-run", "app"], 10),
    ],
)
def test_b36_no_name_of_a_file_reaches_the_terminal_as_it_is(
    words: list[str], code: int, tmp_path: Path
) -> None:
    """Neither what a terminal would obey, nor what is no text, nor a second line."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "app").symlink_to(os.fsdecode(b".deploy/\x1b[2J\xff\n\xc2\x9b1m"))
    done = call(*words, home=tmp_path)
    assert done.returncode == code, done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()
    assert "[2J" in done.stdout + done.stderr


INTERRUPTED_AT_IMPORT = """
import os, signal, sys

class Interrupt:
    module = sys.argv.pop(1)

    @classmethod
    def find_spec(cls, name, *_):
        if name == cls.module:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt)
from os_containers.cli.start import main
main()
"""


@pytest.mark.parametrize(
    ("module", "code", "told"),
    [
        ("os_containers.cli.main", -signal.SIGINT, ""),
        ("os_containers.cli.commands.check", 130, "error: interrupted\n"),
    ],
)
def test_who_interrupts_the_start_sees_no_traceback(
    tmp_path: Path, module: str, code: int, told: str
) -> None:
    """Before a command begins the program just ends, which a shell tells as 130, too."""
    # whoever runs the tests may have Ctrl-C ignored, which would be inherited
    words = ["env", "--default-signal=INT", sys.executable, "-c", INTERRUPTED_AT_IMPORT, module, "check"]
    environment = os.environ | {"OS_CONTAINERS_CHECKOUT_PATH": str(tmp_path / "state")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition("hint")[0]) == (code, told)
