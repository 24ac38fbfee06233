"""What a service of this host can do at most."""

from pathlib import Path

import pytest

from os_containers.deployment.capabilities import CAPABILITIES, possible_capabilities


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("Name:\tinit\nCapBnd:\t0000000000000021\nNoNewPrivs:\t0\n", ("CAP_CHOWN", "CAP_KILL")),
        ("CapBnd:\t0000000000000000\n", ()),
        ("Name:\tinit\n", CAPABILITIES),
    ],
)
def test_no_service_has_more_than_the_first_process(
    tmp_path: Path, status: str, names: tuple[str, ...]
) -> None:
    """One that does not tell may have all that the kernel knows."""
    (tmp_path / "status").write_text(status)
    found = possible_capabilities(tmp_path / "status")
    assert found == names[: len(found)]
    assert bool(found) == bool(names)


def test_all_are_possible_where_nobody_tells(tmp_path: Path) -> None:
    assert possible_capabilities(tmp_path / "missing") == CAPABILITIES
