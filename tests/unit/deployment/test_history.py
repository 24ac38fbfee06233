"""The deployments of a container in the order in which they became active."""

from pathlib import Path

import pytest

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.history import note_activation, others, previous
from os_containers.deployment.record import Record
from os_containers.errors import NotFoundError


def activate(container: Container, serial: int) -> Deployment:
    """Make a deployment, unless it is there, and make it the active one, as a transition does."""
    leaving = container.current() if container.exists() else None
    path = container.deployment_path(serial)
    if not path.exists():
        path.mkdir(parents=True)
        save_record(path, Record(serial, "etcd", "sha256:0", "c", 0, "runc", {}, was_active=True))
    entering = load_deployment(container.name, path)
    container.switch(entering)
    note_activation(container, entering, leaving=leaving)
    return container.current()


@pytest.fixture
def etcd(tmp_path: Path) -> Container:
    return Container("etcd", tmp_path)


def test_the_previous_one_is_that_from_before_a_switch(etcd: Container) -> None:
    """Whichever has the greater serial, so that rolling back twice changes nothing."""
    first, second = activate(etcd, 1), activate(etcd, 2)
    assert previous(etcd) == first
    activate(etcd, 1)
    assert previous(etcd) == second


def test_the_order_is_that_of_the_switches(etcd: Container) -> None:
    """Not that of the serials; the active one is none of the others."""
    for serial in (1, 2, 3, 1, 4):
        activate(etcd, serial)
    assert [one.serial for one in others(etcd)] == [2, 3, 1]
    assert previous(etcd, 2).serial == 2


@pytest.mark.parametrize(
    ("serial", "hint"),
    [(7, "it can return to: 1, 2"), (3, "it can return to: 1, 2"), (-1, "it can return to: 1, 2")],
)
def test_what_was_never_active_or_is_so_now_is_not_found(serial: int, hint: str, etcd: Container) -> None:
    """The hint says to which one can return."""
    for one in (2, 1, 3):
        activate(etcd, one)
    with pytest.raises(NotFoundError) as raised:
        previous(etcd, serial)
    assert raised.value.hint == hint


def test_b105_previous_without_another_deployment_is_not_found(etcd: Container) -> None:
    """The current one stays as it is; nor can one return to that."""
    only = activate(etcd, 1)
    for serial in (None, 1):
        with pytest.raises(NotFoundError) as raised:
            previous(etcd, serial)
        assert raised.value.hint == "os-containers update etcd makes another one"
    assert etcd.current() == only
