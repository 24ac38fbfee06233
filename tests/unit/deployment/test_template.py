"""Templates: `$NAME`, `${NAME}`, `$$`, and nothing else."""

import pytest

from os_containers.deployment.template import render, variables
from os_containers.errors import ImageError, UsageError

VALUES = {"A": "1", "B": "2", "PORT": "80", "PORT2": "81", "EMPTY": "", "RAW": "$A"}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (b"", b""),
        (b"plain", b"plain"),
        (b"$A", b"1"),
        (b"x=$A", b"x=1"),
        (b"$A$B", b"12"),
        (b"$A$$", b"1$"),
        (b"$$A", b"$A"),
        (b"${A}x", b"1x"),
        (b"$PORT2", b"81"),
        (b"${PORT}2", b"802"),
        (b"[$EMPTY]", b"[]"),
        (b"$RAW", b"$A"),
        (b"\xff\xfe$A\r\n\xef\xbb\xbf", b"\xff\xfe1\r\n\xef\xbb\xbf"),
    ],
)
def test_b49_b51_b52_b55_render_replaces_variables_and_nothing_else(template: bytes, rendered: bytes) -> None:
    """Values are put in once, at the end of the text too, and all other bytes pass unchanged."""
    assert render(template, VALUES, source="t") == rendered


def test_b48_render_names_every_missing_variable_with_its_line() -> None:
    """All variables without a value are told at once."""
    with pytest.raises(UsageError, match=r"no value for X \(unit:1\), Y \(unit:3\)"):
        render(b"$X\n$A\n$Y", VALUES, source="unit")


@pytest.mark.parametrize(
    ("template", "column"),
    [(b"${", 1), (b"a $ b", 3), (b"${}", 1), (b"${a-b}", 1), (b"cost: 5$", 8), (b"$1", 1), (b"$A${A", 3)],
)
def test_b50_render_refuses_a_dollar_that_starts_no_variable(template: bytes, column: int) -> None:
    """A lone dollar is told with its position, and how it is written."""
    with pytest.raises(ImageError, match="does not start a variable") as raised:
        render(b"first\n" + template, VALUES, source="unit")
    assert raised.value.message.startswith(f"unit:2:{column}: ")
    assert raised.value.hint is not None


def test_variables_are_those_that_a_template_uses() -> None:
    """A doubled dollar hides a name."""
    assert variables(b"$A ${B} $$C", source="t") == {"A", "B"}


def test_b55_what_a_template_grows_to_has_a_limit() -> None:
    """A value may be used many times; the limit itself fits."""
    assert render(b"$A$A", {"A": "12"}, source="t", limit=8) == b"1212"
    with pytest.raises(ImageError, match="larger than 7 bytes"):
        render(b"$A$A", {"A": "12"}, source="t", limit=7)
    with pytest.raises(ImageError, match="larger than 16777216 bytes"):
        render(b"$A" * 500_000, {"A": "x" * 65536}, source="t")
