"""A container that a package of the distribution brings: updated over, and given back."""

import json
from collections.abc import Callable

from testhost.hello import SERVICE, HelloImage
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
PACKAGES = "/srv/packages"
NAME = "atomic-container-hello"
SHOW = "systemctl show --property=ActiveState,UnitFileState,MainPID hello"


def image(version: str, *, service: str = SERVICE) -> HelloImage:
    return HelloImage(
        version,
        files={"/exports/hostfs/etc/hello.conf": f"of {version}\n"},
        executables={"/bin/hello": service},
    )


def running(host: Host) -> str:
    """Return the version that the service runs."""
    return host.run("os-containers exec hello cat /version").stdout


def deployments(host: Host) -> list[tuple[int, bool]]:
    shown = json.loads(host.run("os-containers status --json hello").stdout)["deployments"]
    return [(one["serial"], one["active"]) for one in shown]


def test_what_a_package_brings_is_updated_over_and_comes_back(host: Host, push_hello: Push) -> None:
    """Listed, started, updated, rolled back, updated, uninstalled; the package's own files are never ours."""
    name = push_hello(image("1"), "hello:latest")
    host.run(["mkdir", PACKAGES])
    host.run(f"os-containers package --insecure --format deb --name hello --output {PACKAGES} {name}")
    host.run(f"cp --preserve /var/lib/dpkg/status-old {PACKAGES} && dpkg --install {PACKAGES}/*.deb")
    (listed,) = json.loads(host.run("os-containers containers list --all --json").stdout)
    assert (listed["name"], listed["state"], listed["preinstalled"]) == ("hello", "running", True)
    host.run("os-containers stop hello && os-containers start hello")
    assert running(host) == "1"
    assert "part of the system" in host.run("os-containers uninstall hello", check=False).stderr
    push_hello(image("2"), "hello:latest")
    host.run("os-containers update --pull --insecure hello")
    assert running(host) == "2"
    assert deployments(host) == [(1, True), (-1, False)]
    assert host.read("/etc/hello.conf") == "of 1\n"
    assert json.loads(host.run("os-containers status --json hello").stdout)["host_files"] == []
    assert host.run("systemctl is-enabled hello").stdout == "enabled\n"
    host.run("os-containers rollback hello")
    assert running(host) == "1"
    assert "/lib/systemd/" in host.run("systemctl show --property=FragmentPath hello").stdout
    push_hello(image("3", service="#!/bin/sh\nexit 3\n"), "hello:latest")
    failed = host.run("os-containers update --pull --insecure hello", check=False)
    assert failed.returncode == 9
    assert running(host) == "1"
    host.run("os-containers rollback hello")
    assert running(host) == "2"
    assert host.run("os-containers check").stdout == ""
    host.run("os-containers uninstall hello")
    assert running(host) == "1"
    assert host.run("systemctl is-enabled hello").stdout == "enabled\n"
    assert deployments(host) == [(-1, True)]
    # the package goes, and what lies over it lives on
    push_hello(image("2"), "hello:latest")
    host.run("os-containers update --pull --insecure hello")
    before = host.run(SHOW).stdout
    host.run(f"dpkg --install {PACKAGES}/*.deb")
    assert host.run(SHOW).stdout == before
    host.run(f"dpkg --purge {NAME}")
    assert (running(host), host.run(SHOW).stdout) == ("2", before)
    assert host.run("os-containers check").stdout == ""
    host.run("systemctl stop hello && os-containers uninstall hello")
    host.run(f"mv {PACKAGES}/status-old /var/lib/dpkg && rm -r {PACKAGES}")
