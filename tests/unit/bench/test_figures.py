"""What the benchmark says of its runs: medians, ratios, goals, and how these are shown."""

from xml.etree import ElementTree as ET

import pytest

from bench.measure import Usage
from bench.picture import draw
from bench.result import OURS, Figure, Result, compared
from bench.table import number, table


def test_a_figure_is_the_ratio_of_medians() -> None:
    """One slow run of five is the machine's, not ours."""
    runs = {OURS: [Usage(2.0), Usage(90.0), Usage(3.0)], "podman": [Usage(6.0), Usage(5.0), Usage(7.0)]}
    figure = compared("time", runs, "podman", 0.5)
    assert (figure.ours, figure.other, figure.ratio) == (3.0, 6.0, 0.5)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("time", "s", 13.0, "limit", 10.0, goal=1.3), True),
        (Figure("time", "s", 13.1, "limit", 10.0, goal=1.3), False),
        (Figure("memory", "MiB", 200.0, goal=200.0), True),
        (Figure("memory", "MiB", 201.0, goal=200.0), False),
        (Figure("time", "s", 13.0, "limit", 10.0), None),
    ],
)
def test_a_goal_is_for_the_ratio_or_for_what_stands_alone(figure: Figure, *, met: bool | None) -> None:
    """The goal itself is reached."""
    assert figure.met is met


def test_the_table_says_which_goals_were_missed() -> None:
    """Each row once by its name, with a line for every figure."""
    figures = [Figure("time", "s", 3.0, "limit", 2.0, 1.3), Figure("memory", "MiB", 90.0, goal=200.0)]
    lines = [" ".join(line.split()) for line in table([Result("pull-big", "pull", figures, {})]).splitlines()]
    assert lines[1:] == ["pull-big time 3.00 s limit 2.00 s 1.50 1.30 MISSED", "memory 90.0 MiB 200 MiB met"]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0123, "0.012 s"), (3.456, "3.46 s"), (34.56, "34.6 s"), (345.6, "346 s")]
)
def test_a_number_has_the_digits_that_tell_something(value: float, shown: str) -> None:
    """Three or so."""
    assert number(value, "s") == shown


def test_the_picture_is_well_formed_whatever_the_titles_say() -> None:
    """Titles are text, not markup; a row that grows has lines, too."""
    figures = [Figure("time <&>", "s", 3.0, "a & b", 2.0, 1.3), Figure("nothing", "s", 0.0)]
    grows = {"files": {"1": 1.0, "2": 2.1, "4": 4.0}}
    root = ET.fromstring(draw([Result("growth", "1 < 2 & 3", figures, {}, grows)]))  # noqa: S314
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "1 < 2 & 3" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 1
