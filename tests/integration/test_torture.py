"""A small, seeded part of `make torture`: faults at some points of every operation (I2, I15, I20)."""

import pytest

from testhost.machine import Host
from testhost.registry import Registry
from torture.plan import OF_IMAGE, OF_PACKAGE, OF_ROOT, Plan
from torture.session import torture
from torture.table import table

# Other points every time that somebody changes this.
SEED = 1
TRANSITIONS = ("install", "update", "rollback", "uninstall")


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(Plan(parts=("a",), operations=TRANSITIONS, sample=5, seed=SEED), id="b84_kills"),
        pytest.param(
            Plan(parts=("a",), operations=("pull", "prune"), sample=4, seed=SEED), id="b84_kills_of_the_store"
        ),
        pytest.param(
            Plan(parts=("a",), operations=(*OF_PACKAGE, *OF_ROOT), sample=1, seed=SEED),
            id="b84_kills_of_what_was_there_before",
        ),
        pytest.param(
            Plan(parts=("b",), operations=("install", "update", "uninstall"), sample=1, seed=SEED),
            id="b80_b82_b83_errors",
        ),
        pytest.param(Plan(parts=("c",), operations=("update",), sample=3, seed=SEED), id="b84_double_kills"),
        pytest.param(Plan(parts=("e",), operations=OF_IMAGE, rounds=3, seed=SEED), id="b84_random_kills"),
        pytest.param(Plan(parts=("f",), runs=16, seed=SEED), id="b87_commands_at_once"),
        pytest.param(Plan(parts=("g",), operations=OF_IMAGE, seed=SEED), id="fsync_lint"),
    ],
)
def test_the_host_is_as_before_or_as_after(
    host: Host, registry: Registry, part: Plan, pytestconfig: pytest.Config
) -> None:
    """No fault leaves a third state."""
    is_on_each = part.parts == ("a",) and {*part.operations} <= {*OF_IMAGE}
    if not is_on_each and pytestconfig.getoption("--suite") != "trixie":
        pytest.skip("the machinery is the same on every suite; kills are tried on each, of the most usual")
    results = torture(host, registry, part)
    assert results
    assert not any(result["third"] for result in results), f"\n{table(results)}"
