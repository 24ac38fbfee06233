"""Mistakes in a command line: what is wrong, and what to do next."""

import contextlib
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from images import build_image

from os_containers import errors
from os_containers.cli.main import main
from os_containers.errors import OsContainersError

needs_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        (
            "instal x",
            "os-containers has no command 'instal'",
            "did you mean os-containers install or os-containers uninstall?",
        ),
        (
            "re",
            "os-containers has no command 're'",
            "did you mean os-containers recover or os-containers repair or os-containers restart?",
        ),
        ("ps", "os-containers has no command 'ps'", "did you mean os-containers containers list?"),
        ("version", "os-containers has no command 'version'", "did you mean os-containers --version?"),
        ("xyzzy", "os-containers has no command 'xyzzy'", "os-containers --help lists them"),
        (
            "images lst",
            "os-containers images has no command 'lst'",
            "did you mean os-containers images list?",
        ),
        (
            "images rm",
            "os-containers images has no command 'rm'",
            "did you mean os-containers images delete?",
        ),
        ("images ps", "os-containers images has no command 'ps'", "os-containers images --help lists them"),
        ("rollback --too 3 x", "there is no option --too", "did you mean --to?"),
        ("--vrebose check", "there is no option --vrebose", "did you mean --verbose?"),
        (
            "images list --verbose",
            "there is no option --verbose",
            "give it before the command: os-containers --verbose images list",
        ),
        ("check --zzz", "there is no option --zzz", "os-containers check --help lists all options"),
        ("rollback", "NAME is missing", "usage: os-containers rollback [OPTIONS] NAME"),
        (
            "pull --authfile /nope x",
            "--authfile: file '/nope' does not exist",
            "os-containers pull --help shows what is allowed",
        ),
        (
            "install x y",
            "got unexpected extra argument (y)",
            "os-containers install --help shows the usage",
        ),
        (
            "install --name",
            "option '--name' requires an argument",
            "os-containers --help shows the usage",
        ),
    ],
)
def test_a_mistake_is_one_line_and_the_next_step_another(
    line: str, error: str, hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of wrong usage, whatever version of click found it."""
    monkeypatch.setattr(sys, "argv", ["os-containers", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"error: {error}\nhint: {hint}\n")


@pytest.mark.parametrize("group", ["", "images"])
def test_a_group_alone_shows_what_there_is(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, and as wrong usage: a script has forgotten something."""
    monkeypatch.setattr(sys, "argv", ["os-containers", *group.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    shown, told = capsys.readouterr()
    assert shown == ""
    assert told.startswith(f"Usage: os-containers {group}".rstrip())
    assert "\nCommands:\n" in told


def test_every_kind_of_error_has_a_next_step() -> None:
    """Which is told when the error itself knows none."""
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    for kind in kinds:
        if issubclass(kind, OsContainersError):
            assert kind.next_step
            assert not kind.next_step.endswith(".")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return build_image(tmp_path / "layout", {"/a": "1"}, name="example.org/app:1")


def command(home: Path, *words: str | Path) -> tuple[list[str | Path], dict[str, str]]:
    """Return how the program is called, with a store of its own."""
    state = {"HOME": str(home), "OS_CONTAINERS_CHECKOUT_PATH": str(home / "state")}
    return [Path(sys.executable).with_name("os-containers"), *words], {**os.environ, **state}


@needs_skopeo
def test_verbose_and_debug_show_the_programs(layout: Path, tmp_path: Path) -> None:
    """As their help says; without them there is neither."""
    said = {}
    for option in ("--quick", "--verbose", "--debug"):
        words = ("check", option) if option == "--quick" else (option, "pull", f"oci:{layout}")
        argv, environment = command(tmp_path, *words)
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
        said[option] = done.stderr
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
    assert said["--quick"] == ""
    assert "\n+ skopeo " in f"\n{said['--verbose']}"
    assert "\n+ skopeo " in f"\n{said['--debug']}"


def test_debug_shows_where_an_error_is_from(tmp_path: Path) -> None:
    """For a report; nobody else sees a traceback."""
    for option, is_traced in (("--verbose", False), ("--debug", True)):
        argv, environment = command(tmp_path, option, "rollback", "nothing")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 3
        assert ("Traceback" in done.stderr) is is_traced


# what has come of how much; the bar itself begins as spaces
BARS = re.compile("0/[0-9]+ bytes")
COLOUR = re.compile("\x1b\\[[0-9;]*[34][0-9;]*m")


@needs_skopeo
@pytest.mark.parametrize(
    ("settings", "has_bars", "has_colour"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
        (None, False, False),
    ],
)
def test_bars_and_colour_are_for_terminals_that_have_them(
    settings: dict[str, str] | None, *, has_bars: bool, has_colour: bool, layout: Path, tmp_path: Path
) -> None:
    """NO_COLOR takes the colour; a dumb terminal and a pipe get lines."""
    argv, environment = command(tmp_path, "pull", f"oci:{layout}")
    environment.pop("NO_COLOR", None)
    said = on_terminal(argv, {**environment, **settings}) if settings else piped(argv, environment)
    assert "Copying layer sha256:" in said
    assert ("Copied layer sha256:" in said) is has_bars
    assert (BARS.search(said) is not None) is has_bars
    assert (COLOUR.search(said) is not None) is has_colour
    assert has_bars or "\x1b" not in said


def piped(argv: list[str | Path], environment: dict[str, str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stderr


def on_terminal(argv: list[str | Path], environment: dict[str, str]) -> str:
    """Return what a terminal shows of the stderr of a command."""
    master, slave = pty.openpty()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=slave, env=environment) as child:
        os.close(slave)
        shown = b""
        # reading the terminal fails once nobody has its other side open
        with contextlib.suppress(OSError):
            while piece := os.read(master, 4096):
                shown += piece
    os.close(master)
    assert child.returncode == 0
    return shown.decode()
