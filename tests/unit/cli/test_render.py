"""Results for people."""

import json

import pytest

from os_containers.cli.commands.status import deployment_lines
from os_containers.cli.plain import indented
from os_containers.cli.progress import reporter
from os_containers.cli.render import age, as_json, human_size, problems, since_text, table
from os_containers.events import Step, Warned
from os_containers.operations.problem import Problem
from os_containers.operations.status import DeploymentStatus


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (360, "360 B"), (2097, "2.10 kB"), (81_570_000, "81.57 MB"), (10**15, "1000.00 TB")],
)
def test_human_size_counts_in_thousands(size: int, text: str) -> None:
    """As the field writes sizes."""
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (1, "1 second ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (90 * 86400, "3 months ago"),
    ],
)
def test_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    """And in the singular where there is one."""
    assert age(seconds) == text


@pytest.mark.parametrize("text", [None, "", "yesterday", "9999-99-99T00:00:00Z"])
def test_b86_a_time_that_is_none_is_left_out(text: str | None) -> None:
    """An image may say anything about when it was made."""
    assert since_text(text) == ""


def test_a_table_is_as_wide_as_its_contents(capsys: pytest.CaptureFixture[str]) -> None:
    """No line ends in blanks."""
    table(("NAME", "SIZE"), [("a", "1 B"), ("longer name", "2 B")])
    assert capsys.readouterr().out == "NAME          SIZE\na             1 B\nlonger name   2 B\n"


HOSTILE = "a\x1b[2J\x1b]0;t\x07\r\n\x9b1m\u202eb\udcff"
SHOWN = r"a\x1b[2J\x1b]0;t\x07\r\n\x9b1m\u202eb\udcff"


def test_b36_cve_2023_28101_what_an_image_chose_does_not_reach_the_terminal_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It could hide what we tell, or tell something else; in events and in tables."""
    with reporter() as tell:
        tell(Step(f"copied /etc/{HOSTILE}"))
        tell(Warned(HOSTILE))
    table(("NAME",), [(HOSTILE,)])
    listed, told = capsys.readouterr()
    assert told == f"copied /etc/{SHOWN}\nwarning: {SHOWN}\n"
    assert listed == f"NAME\n{SHOWN}\n"


def test_b36_what_check_finds_is_shown_in_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A path of the host may have a name that an image chose."""
    found = [Problem("I5", HOSTILE, f"/etc/{HOSTILE}", HOSTILE)]
    problems(found)
    assert capsys.readouterr().out == f"/etc/{SHOWN}: {SHOWN} (I5)\n    {SHOWN}\n"
    as_json(found)
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert shown.isascii()
    (read,) = json.loads(shown)
    assert read == {"invariant": "I5", "what": HOSTILE, "where": f"/etc/{HOSTILE}", "hint": HOSTILE}


def test_deployments_stand_below_each_other() -> None:
    """Whichever is active, and however many there were."""
    deployments = [
        DeploymentStatus(serial, serial == 10, serial == 9, "example.org/app", "", 0, "", preinstalled=False)
        for serial in (10, 9)
    ]
    shown = [indented(f"    {line}") for line in deployment_lines(deployments)]
    assert [line[: line.index("  example")] for line in shown] == ["    * 10", "       9"]
