"""The names of containers."""

import pytest

from os_containers.deployment.name import check_name
from os_containers.errors import UsageError


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "-x", "x y", "x\n", "é", "x" * 65, "x@y", "x%i"),
        *("x.service", "x.socket", "x.mount", ".storage"),
    ],
)
def test_b63_check_name_refuses(name: str) -> None:
    """What is no file name, no unit name, or hidden."""
    with pytest.raises(UsageError):
        check_name(name)


@pytest.mark.parametrize("name", ["etcd", "container.0", "a", "A_b-3.5", "x" * 64, "etcd-3.5"])
def test_check_name_accepts(name: str) -> None:
    """The predecessors' names too."""
    assert check_name(name) == name
