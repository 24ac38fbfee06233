"""The exit codes, which scripts rely on."""

import pytest

from os_containers import errors
from os_containers.errors import OsContainersError


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.OsContainersError, 1),
        (errors.UsageError, 2),
        (errors.NotFoundError, 3),
        (errors.ImageError, 4),
        (errors.LimitError, 4),
        (errors.PolicyError, 5),
        (errors.ConflictError, 6),
        (errors.BusyError, 7),
        (errors.SystemFaultError, 8),
        (errors.ProcessError, 8),
        (errors.ServiceError, 9),
        (errors.BrokenError, 10),
        (errors.RegistryError, 11),
        (errors.CommandError, 126),
        (errors.NoCommandError, 127),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[OsContainersError], code: int) -> None:
    """A script that was written for one version works with the next."""
    assert kind.exit_code == code
