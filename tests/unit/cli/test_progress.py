"""--progress: what is told on stderr, and in which form."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from command_line import call
from images import build_image
from json_schemas import check_output

from manual import facts
from os_containers.cli.json_lines import (
    EventLines,
    LayerFinished,
    LayerPresent,
    LayerProgress,
    LayerStarted,
    Line,
    StepLine,
    WarningLine,
)
from os_containers.cli.progress import Bars
from os_containers.cli.schemas import progress_schema
from os_containers.events import BlobFinished, BlobPresent, BlobProgressed, BlobStarted, Event, Step, Warned

needs_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")


def told(stderr: str) -> list[dict[str, Any]]:
    """Return the events, each of which follows the published schema."""
    schema = progress_schema()
    return [check_output(line, schema) for line in stderr.splitlines()]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return build_image(tmp_path / "layout", {"/a": "1"}, name="example.org/app:1")


@needs_skopeo
def test_a_program_hears_of_every_layer(layout: Path, tmp_path: Path) -> None:
    """When it begins and ends with its size, or that it is there; the result alone is on stdout."""
    first, again = (call("--progress", "json", "pull", f"oci:{layout}", home=tmp_path) for _ in range(2))
    assert first.stdout == again.stdout
    assert first.stdout.startswith("example.org/app:1 sha256:")
    started, *_, finished = told(first.stderr)
    assert (started["event"], finished["event"]) == ("layer-started", "layer-finished")
    assert finished["digest"] == started["digest"]
    assert finished["bytes"] == finished["total"] == started["total"] > 0
    assert told(again.stderr) == [{"event": "layer-present", "digest": started["digest"]}]


@needs_skopeo
def test_what_is_logged_is_an_event_too(layout: Path, tmp_path: Path) -> None:
    """So every line is JSON, whatever else was asked for."""
    done = call("--progress", "json", "--verbose", "pull", f"oci:{layout}", home=tmp_path)
    logged = [event for event in told(done.stderr) if event["event"] == "log"]
    assert any(event["text"].startswith("+ skopeo") for event in logged)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["rollback", "nothing"], 3, "there is no container named 'nothing'"),
        (["instal"], 2, "os-containers has no command 'instal'"),
        (["pull"], 2, "IMAGE is missing"),
        (["images"], 2, "a command is missing"),
        ([], 2, "missing command"),
    ],
)
def test_an_error_is_the_last_event(words: list[str], code: int, error: str, tmp_path: Path) -> None:
    """With what to do next, and the exit code."""
    done = call("--progress", "json", *words, home=tmp_path)
    (event,) = told(done.stderr)
    assert done.returncode == code
    assert (event["event"], event["exit_code"]) == ("error", code)
    assert event["text"] == error
    assert event["hint"]


def test_a_traceback_is_one_event(tmp_path: Path) -> None:
    """Of --debug."""
    done = call("--progress", "json", "--debug", "rollback", "nothing", home=tmp_path)
    assert any("Traceback" in event["text"] for event in told(done.stderr))


@needs_skopeo
def test_nothing_is_told_but_warnings_and_errors(layout: Path, tmp_path: Path) -> None:
    """With none, for who waits for the end only."""
    done = call("--progress", "none", "pull", f"oci:{layout}", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    failed = call("--progress", "none", "rollback", "nothing", home=tmp_path)
    assert failed.stderr.startswith("error: there is no container named 'nothing'\nhint: ")


@pytest.mark.parametrize("form", ["plain", "auto"])
@needs_skopeo
def test_a_pipe_gets_lines(form: str, layout: Path, tmp_path: Path) -> None:
    """Also when nothing is said about it."""
    done = call("--progress", form, "pull", f"oci:{layout}", home=tmp_path)
    (line,) = done.stderr.splitlines()
    assert line.startswith("Copying layer sha256:")


def test_what_has_come_whole_is_a_line_and_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So an image of many layers is told as cheaply as one of few; an attempt that failed leaves no bar."""
    monkeypatch.setenv("COLUMNS", "80")
    bars = Bars()
    started = BlobStarted("sha256:0123456789abcdef", 9, "layer")
    for event in (started, BlobProgressed(started.digest, 5), started, Step("a [b]")):
        bars.tell(event)
    assert len(bars.shown.tasks) == 1
    bars.tell(BlobFinished(started.digest))
    assert bars.shown.tasks == []
    bars.stop()
    assert capsys.readouterr().err.split("\n")[:2] == ["a [b]", "Copied layer sha256:0123456789ab  9 B"]


def test_how_far_a_layer_is_comes_ten_times_a_second_at_most() -> None:
    """What came meanwhile is in the next; the end is always told."""
    clock = iter([0.0, 0.05, 0.1, 0.15, 0.2])
    lines: list[Line] = []
    tell = EventLines(lines.append, lambda: next(clock)).tell
    events: list[Event] = [Step("a"), Warned("b"), BlobPresent("x", "layer"), BlobStarted("y", 9, "layer")]
    for event in (*events, *[BlobProgressed("y", 2)] * 4, BlobFinished("y")):
        tell(event)
    assert lines == [
        StepLine("a"),
        WarningLine("b"),
        LayerPresent("x"),
        LayerStarted("y", 9),
        LayerProgress("y", 4, 9),
        LayerProgress("y", 8, 9),
        LayerFinished("y", 8, 9),
    ]


def test_an_attempt_that_failed_does_not_count() -> None:
    """Its layer begins again."""
    lines: list[Line] = []
    tell = EventLines(lines.append, iter(range(9)).__next__).tell
    for event in (BlobStarted("y", 9, "layer"), BlobProgressed("y", 5)) * 2:
        tell(event)
    assert lines == [LayerStarted("y", 9), LayerProgress("y", 5, 9)] * 2


def test_the_manual_names_every_kind_of_event() -> None:
    """And no other."""
    assert facts.EVENTS.keys() == {kind.__struct_config__.tag for kind in get_args(Line)}


def test_the_schema_is_printed(tmp_path: Path) -> None:
    """For who checks what comes."""
    assert json.loads(call("schema", "--progress", home=tmp_path).stdout) == progress_schema()
    for words in ([], ["--progress", "images", "list"]):
        assert call("schema", *words, home=tmp_path).returncode == 2
