"""Man pages: made of the command line, and man and mandoc find nothing wrong in them."""

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from manual import facts, roff
from manual.__main__ import write_man
from manual.pages import headline, root_page
from os_containers import errors
from os_containers.cli.main import COMMANDS, cli
from os_containers.cli.render import size_with_unit
from os_containers.config import Config
from os_containers.deployment.exports import ExportManifest
from os_containers.deployment.values import FORCED, generate
from os_containers.paths import Paths

SOURCES = Path(__file__).parents[3] / "src/os_containers"
_ASKED = re.compile(r'(?:environ(?:ment)?(?:\.get\(|\[)|_absolute\(environment, )"(\w+)"')


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("man")
    write_man(directory)
    return directory


def commands(group: click.Group, words: tuple[str, ...] = ("os-containers",)) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, found without the code that makes the pages."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def test_every_command_has_a_page(pages: Path) -> None:
    """And there are no others but those of the program and those written by hand."""
    by_hand = {path.name.removesuffix(".rst") for path in (SOURCES.parents[1] / "docs").glob("*.5.rst")}
    expected = {"-".join(words) + ".1" for words in commands(cli)} | {"os-containers.1", "os-container.1"}
    assert {path.name for path in pages.iterdir()} == expected | by_hand


def test_a_page_names_every_option_that_the_command_has(pages: Path) -> None:
    """With its help; nobody looks for an option in the source."""
    for page in root_page(cli, "os-containers").walk():
        text = (pages / f"{page.name}.1").read_text()
        for parameter in page.command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{page.name} {parameter.opts}"
                assert all(roff.bold(name) in text for name in parameter.opts)


def test_the_table_of_commands_says_of_each_what_it_says_itself() -> None:
    """Help lists them without loading them; every one has its line there, and examples."""
    for page in root_page(cli, "os-containers").inner:
        assert COMMANDS[page.words[-1]][1].endswith(".")
        assert headline(page.command)
    for page in root_page(cli, "os-containers").walk():
        if not isinstance(page.command, click.Group):
            for words, what in getattr(page.command, "examples", ()):
                assert words.split()[: len(page.words) - 1] == list(page.words[1:]), words
                assert not what.endswith((".", ":")), what


def test_no_list_of_commands_cuts_a_line() -> None:
    """What --help says of a command fits on the narrowest terminal."""
    for page in root_page(cli, "os-containers").walk():
        if isinstance(page.command, click.Group):
            context = click.Context(page.command, terminal_width=80)
            _, _, listed = page.command.get_help(context).partition("Commands:")
            assert [line for line in listed.splitlines() if line.endswith("...")] == []


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing_wrong(pages: Path) -> None:
    """Neither an error nor a warning."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *sorted(map(str, pages.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_man_shows_the_pages_without_a_warning(pages: Path) -> None:
    """What troff warns of stands crooked on the terminal of some."""
    for page in sorted(pages.iterdir()):
        words = ("-man", "-rLL=100n", "-Tutf8", "-k", "-t", "-ww", "-z")
        done = subprocess.run(["groff", *words, str(page)], capture_output=True, text=True, check=True)
        assert done.stderr == "", page.name


def test_the_exit_codes_are_those_of_the_errors(pages: Path) -> None:
    """A new kind of error is in the table of errors.py, from which the page has it."""
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "exit_code")]
    assert {str(one.exit_code) for one in kinds} <= facts.exit_codes().keys()
    assert ".TP\n\\fB130" not in (pages / "os-containers.1").read_text()


def test_every_variable_of_the_environment_that_is_read_is_explained() -> None:
    """Nobody finds out from the source; those of completion are between us and the shells."""
    read = {name for path in SOURCES.rglob("*.py") for name in _ASKED.findall(path.read_text())}
    assert read >= {"HOME", "OSTREE_REPO", "RUNTIME"}
    assert {name for name in read if not name.startswith("_")} <= facts.ENVIRONMENT.keys()


def test_all_that_can_be_set_is_in_the_manual() -> None:
    """With its default, where that is a number that nobody would guess."""
    page = (SOURCES.parents[1] / "docs/os-containers-config.5.rst").read_text()
    config = Config()
    for part in (config.general, config.limits, config.deployment):
        for name, value in dataclasses.asdict(part).items():
            assert f"``{name.replace('_', '-')}``" in page
            if isinstance(value, int):
                assert size_with_unit(value) in page, name


def test_all_variables_and_keys_of_an_image_are_in_the_manual() -> None:
    """An author looks nowhere else."""
    page = (SOURCES.parents[1] / "docs/os-containers-image.5.rst").read_text()
    paths = Paths.find(uid=0, environment={})
    generated = generate(paths, name="x", runtime=Path("/usr/bin/crun"), previous={})
    keys = [field.encode_name for field in msgspec.structs.fields(ExportManifest)]
    for word in (*FORCED, *generated, *keys):
        assert f"``{word}``" in page


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a `b-c` d", [r"a \fBb\-c\fR d"]),
        (".so x", [r"\&.so x"]),
        ("'x\\y", [r"\(aqx\(rsy"]),
        ("two\n  lines", ["two lines"]),
        ("word " * 20, ["word " * 14 + "word", " ".join(["word"] * 5)]),
    ],
)
def test_no_text_is_taken_for_a_request(text: str, lines: list[str]) -> None:
    """What is to be typed can be copied: no fancy quotes and hyphens."""
    assert roff.prose(text) == lines
