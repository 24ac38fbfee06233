"""A small, seeded part of `make torture`: faults at some points of every operation (I2, I15, I20)."""

import pytest

from testhost.machine import Host
from testhost.registry import Registry
from torture.plan import Plan
from torture.session import torture
from torture.table import table

# Other points every time that somebody changes this.
SEED = 1
TRANSITIONS = ("install", "update", "rollback", "uninstall")


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(Plan(parts=("a",), operations=TRANSITIONS, sample=5, seed=SEED), id="b84_kills"),
    ],
)
def test_the_host_is_as_before_or_as_after(host: Host, registry: Registry, part: Plan) -> None:
    """No fault leaves a third state."""
    results = torture(host, registry, part)
    assert results
    assert not any(result["third"] for result in results), f"\n{table(results)}"
