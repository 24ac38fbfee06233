"""The example image: etcd 3.4 and 3.5, whose data an older version cannot read by itself."""

import json
from collections.abc import Iterator

import pytest

from testhost.machine import Host
from testhost.registry import Registry


@pytest.fixture
def data_removed(host: Host) -> Iterator[None]:
    """Remove what uninstall keeps: the data of etcd."""
    yield
    host.run("systemctl stop etcd", check=False)
    host.run("rm -rf /var/lib/etcd")


@pytest.fixture
def user_data_removed(host: Host, user: str) -> Iterator[None]:
    """Remove what uninstall keeps in the home of the user."""
    yield
    host.run("systemctl --user stop etcd", user=user, check=False)
    host.run("rm -rf ~/.local/share/etcd ~/.config/etcd", user=user)


def etcdctl(host: Host, arguments: str) -> str:
    return host.run(f"ETCDCTL_API=3 etcdctl {arguments}").stdout


def server_version(host: Host) -> str:
    (endpoint,) = json.loads(etcdctl(host, "endpoint status --write-out=json"))
    version: str = endpoint["Status"]["version"]
    return version.rpartition(".")[0]


def etcdctl_version(host: Host) -> str:
    return etcdctl(host, "version").split()[2].rpartition(".")[0]


@pytest.mark.usefixtures("data_removed")
def test_a_rollback_keeps_what_the_newer_version_wrote(
    host: Host, registry: Registry, etcd: str, runtime: str
) -> None:
    """Update, rollback and update again: every write stays, and etcdctl on the host follows the server."""
    registry.move_tag("etcd:3.4", "etcd:latest")
    host.run(f"os-containers --runtime {runtime} install --insecure {etcd}:latest && systemctl start etcd")
    etcdctl(host, "put first 3.4")
    assert (server_version(host), etcdctl_version(host)) == ("3.4", "3.4")

    registry.move_tag("etcd:3.5", "etcd:latest")
    host.run(f"os-containers pull --insecure {etcd}:latest && os-containers update etcd")
    etcdctl(host, "put second 3.5")
    assert (server_version(host), etcdctl_version(host)) == ("3.5", "3.5")

    host.run("os-containers rollback etcd")
    etcdctl(host, "put third 3.4")
    assert (server_version(host), etcdctl_version(host)) == ("3.4", "3.4")

    host.run("os-containers rollback etcd")
    assert server_version(host) == "3.5"
    assert etcdctl(host, "get --prefix '' --print-value-only").split() == ["3.4", "3.5", "3.4"]


@pytest.mark.usefixtures("data_removed")
def test_values_and_mounts_are_set_at_the_installation(host: Host, etcd: str) -> None:
    """ADDTL_MOUNTS is JSON that continues the list of mounts."""
    mount = '{"type": "bind", "source": "/usr/share/doc", "destination": "/mnt", "options": ["bind", "ro"]}'
    settings = [f"--set=ADDTL_MOUNTS=,{mount}", "--set=ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:12379"]
    host.run(["os-containers", "install", "--insecure", "--name", "etcd", *settings, f"{etcd}:3.5"])
    host.run("systemctl start etcd")
    assert "is healthy" in host.run("etcdctl --endpoints=127.0.0.1:12379 endpoint health 2>&1").stdout
    assert host.run("os-containers run etcd ls /mnt/base-files").stdout


@pytest.mark.usefixtures("user_data_removed")
def test_a_user_runs_the_same_image(host: Host, user: str, etcd: str, runtime: str) -> None:
    """Without host files the values of the image are enough."""
    install = f"os-containers --runtime {runtime} install --insecure --name etcd {etcd}:3.5"
    host.run(f"{install} && systemctl --user start etcd", user=user)
    put = "os-containers run etcd etcdctl put greeting hello"
    assert host.run(put, user=user).stdout == "OK\n"
    assert host.run("ls ~/.local/share/etcd", user=user).stdout.split() == ["3.5", "current"]
