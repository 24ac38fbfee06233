"""A container and its deployments on disk."""

from pathlib import Path

import pytest

from os_containers.deployment.container import Container, all_containers
from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.record import Record
from os_containers.errors import BrokenError, NotFoundError
from os_containers.paths import Paths


def deploy(container: Container, serial: int) -> Deployment:
    record = Record(serial, "etcd", "sha256:0", "c", 0, "runc", {}, was_active=True)
    path = container.deployment_path(serial)
    path.mkdir(parents=True)
    save_record(path, record)
    return load_deployment(container.name, path)


@pytest.fixture
def etcd(tmp_path: Path) -> Container:
    return Container("etcd", tmp_path)


def test_switch_makes_a_deployment_the_current_one(etcd: Container) -> None:
    """The link is relative, so that the state can be moved as a whole."""
    first, second = deploy(etcd, 1), deploy(etcd, 2)
    etcd.switch(first)
    assert etcd.current() == first
    etcd.switch(second)
    assert etcd.current() == second
    assert str(etcd.link.readlink()) == ".deploy/etcd/2"


def test_next_serial_follows_the_highest_on_disk(etcd: Container) -> None:
    """A deployment is never built twice."""
    assert etcd.next_serial() == 1
    deploy(etcd, 9)
    deploy(etcd, 10)
    assert etcd.next_serial() == 11


@pytest.mark.parametrize("target", ["nowhere", "/etc", "../x", ".deploy/other/1", ".deploy/etcd/7", "etcd"])
def test_b96_a_link_to_anything_else_is_broken(etcd: Container, target: str) -> None:
    """Dangling, outside, another container's, a loop."""
    deploy(etcd, 1)
    deploy(Container("other", etcd.state), 1)
    etcd.link.symlink_to(target)
    with pytest.raises(BrokenError):
        etcd.current()


def test_b96_a_directory_in_place_of_the_link_is_broken(etcd: Container) -> None:
    """It is not followed, and not removed."""
    etcd.link.mkdir()
    with pytest.raises(BrokenError):
        etcd.current()


def test_a_container_that_is_not_there_is_not_found(etcd: Container) -> None:
    """The hint says how to see which are."""
    with pytest.raises(NotFoundError) as raised:
        etcd.current()
    assert raised.value.hint is not None


def test_all_containers_are_the_links_with_a_name(tmp_path: Path) -> None:
    """Directories and hidden names are not containers."""
    paths = Paths.find(uid=0, environment={"OS_CONTAINERS_CHECKOUT_PATH": str(tmp_path)})
    (tmp_path / "b").symlink_to("x")
    (tmp_path / "a").symlink_to("x")
    (tmp_path / ".hidden").symlink_to("x")
    (tmp_path / "directory").mkdir()
    assert [one.name for one in all_containers(paths)] == ["a", "b"]
