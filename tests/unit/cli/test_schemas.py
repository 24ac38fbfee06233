"""What --json prints has a schema, and follows it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from images import build_image
from json_schemas import check_output

from manual.__main__ import write_schemas
from os_containers.cli.command import Command
from os_containers.cli.main import cli
from os_containers.cli.schemas import outputs, progress_schema, schema
from os_containers.errors import NotFoundError

OUTPUTS = dict(outputs(cli))


def printing_json(group: click.Group, name: str = "os-containers") -> Iterator[tuple[str, click.Command]]:
    """Yield the commands that have --json, found without the code that makes schemas."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if isinstance(command, click.Group):
            yield from printing_json(command, f"{name} {word}")
        elif any("--json" in parameter.opts for parameter in command.params):
            yield f"{name} {word}", command


@pytest.mark.parametrize(("name", "command"), [*printing_json(cli)], ids=str)
def test_every_command_with_json_says_what_it_prints(name: str, command: click.Command) -> None:
    """By output=TYPE in its decorator; from that the schema is made."""
    assert isinstance(command, Command)
    assert command.output is not None
    assert schema(name, command.output)["title"] == f"{name} --json"


def test_no_command_has_a_schema_and_no_json() -> None:
    """The table of schemas is the table of what prints JSON."""
    assert OUTPUTS.keys() == {name for name, _ in printing_json(cli)}


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_what_is_printed_follows_its_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of images and layers, and of what check says of a container that is broken."""
    state = tmp_path / "state"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OS_CONTAINERS_CHECKOUT_PATH", str(state))
    layout = build_image(tmp_path / "layout", {"/a": "1"}, name="example.org/app:1")
    call(capsys, "pull", f"oci:{layout}")
    assert checked(capsys, "images list")[0]["name"] == "example.org/app:1"
    assert {"layer", "unpacked"} <= checked(capsys, "images list", "--all")[1].keys()
    (state / "app").symlink_to(".deploy/app/1")
    assert "app" in {problem["where"].rpartition("/")[2] for problem in checked(capsys, "check")}
    assert checked(capsys, "config show")
    assert checked(capsys, "images prune").keys() >= {"refs", "objects", "bytes"}


def test_the_program_shows_its_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    """And names those that there are for a command that has none."""
    shown = json.loads(call(capsys, "schema", "containers", "list"))
    assert shown == schema("os-containers containers list", OUTPUTS["os-containers containers list"])
    with pytest.raises(NotFoundError, match="os-containers pull prints no JSON") as raised:
        call(capsys, "schema", "pull")
    assert "containers list, " in str(raised.value.hint)


def test_packages_bring_all_schemas(tmp_path: Path) -> None:
    """A file for each command that prints JSON, and one for what is told meanwhile."""
    write_schemas(tmp_path)
    expected = {f"{name.replace(' ', '-')}.json": schema(name, output) for name, output in OUTPUTS.items()}
    expected["os-containers-progress.json"] = progress_schema()
    written = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    # what is a tuple here is a list there
    assert written == json.loads(json.dumps(expected))


def checked(capsys: pytest.CaptureFixture[str], command: str, *options: str) -> Any:
    name = f"os-containers {command}"
    return check_output(call(capsys, *command.split(), *options, "--json"), schema(name, OUTPUTS[name]))


def call(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    cli.main(list(words), standalone_mode=False)
    return capsys.readouterr().out
