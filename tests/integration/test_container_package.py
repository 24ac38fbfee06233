"""A container as a package of the distribution: installed, run and removed without os-containers."""

from collections.abc import Callable, Iterator

import pytest

from testhost.hello import SERVICE, HelloImage, start_hello
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
PACKAGES = "/srv/packages"
NAME = "atomic-container-hello"
BUNDLE = "/usr/lib/containers/atomic/hello"
# of a database of its own: this is Debian
RPM = f"rpm --dbpath={PACKAGES}/rpmdb"
KINDS = {
    "deb": (f"dpkg --install {PACKAGES}/*.deb", f"dpkg --purge {NAME}"),
    "rpm": (f"{RPM} --install --nodeps {PACKAGES}/*.rpm", f"{RPM} --erase --nodeps {NAME}"),
}


@pytest.fixture
def image(host: Host, push_hello: Push) -> Iterator[str]:
    host.run(["mkdir", PACKAGES])
    service = SERVICE.replace('echo "hello', 'echo > /data/log; echo "hello')
    yield push_hello(
        HelloImage(
            "1",
            files={
                "/exports/hostfs/etc/hello/hello.conf": "port = 1\n",
                "/exports/hostfs/usr/local/bin/hello-version": "version 1\n",
            },
            executables={"/bin/hello": service},
            config={"Volumes": {"/data": {}}},
        ),
        "hello:1.5",
    )
    host.run(["rm", "-r", PACKAGES])


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_brings_a_service_that_runs(host: Host, image: str, kind: str, runtime: str) -> None:
    """Enabled, and started as each kind has it; it is gone with the package, but for its data."""
    install, remove = KINDS[kind]
    command = f"os-containers --runtime {runtime} package --insecure --format {kind} --name hello"
    made = host.run(f"{command} --output {PACKAGES} {image}").stdout.strip()
    # what it was made in is needed no more
    host.run("rm -r /var/lib/containers/atomic")
    host.run(f"cp --preserve /var/lib/dpkg/status-old {PACKAGES} && {install}")
    assert host.run("systemctl is-enabled hello").stdout == "enabled\n"
    is_active = host.run("systemctl is-active hello", check=False).stdout
    assert is_active == {"deb": "active\n", "rpm": "inactive\n"}[kind]
    if kind == "deb":
        # it was removed and comes again, which is no upgrade
        host.run(f"dpkg --remove {NAME} && {install}")
        assert host.run("systemctl is-active hello").stdout == "active\n"
    start_hello(host)
    assert "─container\n" in host.run("systemctl status --no-pager hello").stdout
    assert host.read("/etc/hello/hello.conf") == "port = 1\n"
    assert host.run(f"stat --format %a {BUNDLE}").stdout == "700\n"
    host.run(remove)
    assert host.run("ls /var/lib/hello/data").stdout == "log\n"
    host.run(f"mv {PACKAGES}/status-old /var/lib/dpkg && rm -r /var/lib/hello")
    assert made.endswith(f".{kind}")


def test_install_makes_the_package_of_the_host(host: Host, image: str) -> None:
    """By the option that atomic had; nothing is installed then."""
    host.run(f"cd {PACKAGES} && os-containers install --insecure --system-package=build {image}")
    assert host.run(["ls", PACKAGES]).stdout.startswith("atomic-container-hello-1.5_1-")
    assert host.run("os-containers containers list --all").stdout.count("hello") == 0
