"""The examples: built, installed and used as their READMEs say; etcd has test_etcd.py."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testhost.commands import run
from testhost.examples import example_layout, write_next_version
from testhost.machine import SHARED, Host

DATA = ("/var/lib/dnsmasq", "/var/lib/metrics")


@pytest.fixture
def publish(host: Host, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Return what gives an example's image, and the host's name for it; changed files make a next version."""
    shared = host.shared / "examples"

    def give(name: str, changed: dict[str, str] | None = None) -> str:
        layout = example_layout(name)
        if changed:
            write_next_version(layout, tmp_path / "next", changed)
            layout = tmp_path / "next"
        shutil.rmtree(shared / name, ignore_errors=True)
        shutil.copytree(layout, shared / name)
        run(["chmod", "--recursive", "a+rX", shared])
        return f"oci:{SHARED}/examples/{name}:latest"

    yield give
    shutil.rmtree(shared, ignore_errors=True)
    host.run(["rm", "-rf", *DATA])


def page(host: Host, address: str) -> str:
    """Return what a web server of the host answers, once it does."""
    get = f"wget -q -O - http://{address}"
    return host.run(f"for i in $(seq 50); do busybox {get} && exit; sleep 0.1; done; exit 1").stdout


def resolve(host: Host, name: str) -> str:
    """Return the address that the name server of the host knows for a name, once it answers."""
    ask = f"busybox nslookup -type=a {name} 127.0.0.1"
    said = host.run(f"for i in $(seq 50); do {ask} && exit; sleep 0.1; done; exit 1").stdout
    return said.split("Address:")[-1].strip()


def test_hello_world(host: Host, publish: Callable[..., str]) -> None:
    """Two containers of one image, each with its own values, configuration and command on the host."""
    image = publish("hello-world")
    host.run(f"os-containers install --name hello-world {image}")
    host.run(f"os-containers install --name hi --set PORT=8081 --set GREETING=Hi {image}")
    host.run("systemctl start hello-world hi")
    assert page(host, "127.0.0.1:8080") == "Hello, world\n"
    assert page(host, "127.0.0.1:8081") == "Hi\n"
    # it has no devpts, so there is no terminal for it
    assert host.run_on_terminal("hello-world-get") == (0, "Hello, world\r\n")
    host.write("/etc/hi/hello.conf", 'GREETING="Good morning"\n')
    host.run("systemctl restart hi")
    assert page(host, "127.0.0.1:8081") == "Good morning\n"
    assert host.run("hi-get").stdout == "Good morning\n"
    host.run("os-containers update --set GREETING=Welcome hello-world")
    assert page(host, "127.0.0.1:8080") == "Welcome\n"
    host.run("os-containers uninstall hello-world && os-containers uninstall hi")
    assert not host.exists("/usr/local/bin/hi-get")
    assert host.run("cat /etc/hi/hello.conf; rm -r /etc/hi").stdout == 'GREETING="Good morning"\n'


def test_hello_world_as_a_user(host: Host, user: str, publish: Callable[..., str]) -> None:
    """Without host files the values of the image are enough."""
    host.run(f"os-containers install --name hello-world --set PORT=8082 {publish('hello-world')}", user=user)
    host.run("systemctl --user start hello-world", user=user)
    assert page(host, "127.0.0.1:8082") == "Hello, world\n"


def test_node_exporter(host: Host, publish: Callable[..., str], runtime: str) -> None:
    """Metrics of the host, options from an EnvironmentFile=, and a place among the units by values."""
    options = "--set REQUIRED_BY=monitoring.target --set BEFORE=monitoring.target"
    image = publish("node-exporter")
    host.run(f"os-containers --runtime {runtime} install --name metrics {options} {image}")
    host.write("/etc/default/metrics", 'OPTIONS="--collector.disable-defaults --collector.textfile"\n')
    host.run("systemctl start metrics")
    metrics = page(host, "127.0.0.1:9100/metrics")
    assert 'node_exporter_container_info{image="localhost/node-exporter:latest"} 1' in metrics
    assert "node_memory_MemTotal_bytes" not in metrics
    host.run("rm /etc/default/metrics")
    assert host.exists("/etc/systemd/system/monitoring.target.requires/metrics.service")
    host.run("os-containers update --set REQUIRED_BY= metrics")
    assert not host.exists("/etc/systemd/system/monitoring.target.requires")
    metrics = page(host, "127.0.0.1:9100/metrics")
    assert "node_memory_MemTotal_bytes" in metrics
    assert 'node_scrape_collector_success{collector="systemd"} 1' in metrics
    # what is mounted later is seen, too
    host.run("mount --mkdir --types tmpfs tmpfs /srv/later")
    try:
        assert 'mountpoint="/srv/later"' in page(host, "127.0.0.1:9100/metrics")
    finally:
        host.run("umount /srv/later && rmdir /srv/later")


def test_dnsmasq(host: Host, publish: Callable[..., str], runtime: str) -> None:
    """A name server whose configuration an admin edits, over an update and its rollback."""
    host.run(f"os-containers --runtime {runtime} install --name dnsmasq {publish('dnsmasq')}")
    host.run("systemctl start dnsmasq")
    assert resolve(host, "router.example.org") == "192.0.2.1"
    host.write("/etc/dnsmasq/hosts", "192.0.2.7 printer.example.org\n")
    host.run("systemctl reload dnsmasq")
    assert resolve(host, "printer.example.org") == "192.0.2.7"
    host.write("/etc/dnsmasq/conf.d/local.conf", "address=/local.example.org/192.0.2.8\n")
    host.run("sed -i 's/^port=.*/&\\n# mine/' /etc/dnsmasq/dnsmasq.conf && systemctl restart dnsmasq")
    assert resolve(host, "x.local.example.org") == "192.0.2.8"

    host.run(
        f"os-containers pull {publish('dnsmasq', {'/exports/hostfs/etc/dnsmasq/dnsmasq.conf': 'port=5353'})}"
    )
    said = host.run("os-containers update dnsmasq").stderr
    assert "kept /etc/dnsmasq/dnsmasq.conf" in said
    assert host.read("/etc/dnsmasq/dnsmasq.conf.os-containers-new") == "port=5353"
    assert resolve(host, "printer.example.org") == "192.0.2.7"
    host.run("os-containers rollback dnsmasq")
    assert resolve(host, "x.local.example.org") == "192.0.2.8"
    host.run("os-containers uninstall dnsmasq")
    assert "# mine" in host.run("cat /etc/dnsmasq/dnsmasq.conf; rm -r /etc/dnsmasq").stdout
