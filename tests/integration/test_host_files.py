"""Files that an image puts on the host, against hosts that do not make it easy."""

import subprocess
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.inventory import differences, list_files
from testhost.machine import Host, Result

Push = Callable[[HelloImage, str], str]
CONF = "/exports/hostfs/etc/hello/hello.conf"
TOOL = "/exports/hostfs/usr/local/bin/hello-tool"
FILES = {CONF: "version 1\n", TOOL: "#!/bin/sh\n"}


def os_containers(host: Host, arguments: str) -> Result:
    return host.run(f"os-containers {arguments}", check=False)


def install(host: Host, image: str, options: str = "") -> None:
    host.run(f"os-containers install --insecure --name hello {options} {image}")


@pytest.fixture
def refused(host: Host) -> Iterator[Callable[[str, int, str], Result]]:
    """Return what runs a command that is to be refused: its exit code, its error, and nothing changed."""

    def check(arguments: str, code: int, error: str) -> Result:
        before = list_files(host.tree)
        result = os_containers(host, arguments)
        assert result.returncode == code, result.stderr
        assert error in result.stderr
        assert "\nhint: " in result.stderr
        changed = [
            line for line in differences(before, list_files(host.tree)) if "/var/lib/containers" not in line
        ]
        assert changed == []
        return result

    yield check
    host.run("rm -rf /srv/open /etc/os-containers/policy.toml")


def test_b70_a_link_that_others_made_is_not_followed(
    host: Host, user: str, push_hello: Push, refused: Callable[..., Result]
) -> None:
    """A user's own, in a directory where anybody writes; what root has linked is followed."""
    files = {"/exports/hostfs/srv/open/app/file": "x\n", "/exports/hostfs/var/run/hello-file": "x\n"}
    image = push_hello(HelloImage("1", files=files), "hello:latest")
    host.run("install --directory --mode=1777 /srv/open")
    host.run("ln --symbolic /etc/cron.d /srv/open/app", user=user)
    refused(
        f"install --insecure --name hello {image}", 6, "/srv/open/app is a symlink that users other than root"
    )
    host.run("rm /srv/open/app")
    install(host, image)
    assert host.read("/srv/open/app/file") == "x\n"
    assert host.read("/run/hello-file") == "x\n"
    host.run("os-containers uninstall hello")
    assert not host.exists("/run/hello-file")
    assert not host.exists("/srv/open/app")


def test_b74_a_cron_job_needs_the_admins_word(
    host: Host, push_hello: Push, refused: Callable[..., Result]
) -> None:
    """Which an update remembers; a new one is asked for again; a policy file allows them for all."""
    job = {"/exports/hostfs/etc/cron.d/hello": "# nothing\n"}
    image = push_hello(HelloImage("1", files=FILES | job), "hello:latest")
    result = refused(f"install --insecure --name hello {image}", 5, "the image puts /etc/cron.d/hello on")
    assert "to allow them: --allow-host-path /etc/cron.d/hello" in result.stderr
    install(host, image, "--allow-host-path /etc/cron.d/hello")
    newer = job | {"/exports/hostfs/usr/lib/hello/lib": "x\n"}
    push_hello(HelloImage("2", files=FILES | newer), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    refused("update hello", 5, "the image puts /usr/lib/hello/lib on the host")
    host.write("/etc/os-containers/policy.toml", 'allow-host-paths = ["/usr/lib/hello"]\n')
    host.run("os-containers update hello")
    assert host.exists("/usr/lib/hello/lib")
    assert host.exists("/etc/cron.d/hello")


def test_b77_what_is_immutable_is_told_before_anything_changes(
    host: Host, push_hello: Push, refused: Callable[..., Result]
) -> None:
    """The service goes on; once the file may be changed, the update works."""
    image = push_hello(HelloImage("1", files=FILES), "hello:latest")
    install(host, image)
    start_hello(host)
    newer = FILES | {CONF: "version 2\n"}
    push_hello(HelloImage("2", files=newer), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    before = host.run("systemctl show --property=InvocationID,MainPID hello").stdout
    for path in ("/etc/hello/hello.conf", "/etc/hello"):
        set_flag(host, "+i", path)
        try:
            refused("update hello", 8, f"{path} is immutable")
            if path == "/etc/hello":
                refused("uninstall hello", 8, f"{path} is immutable")
        finally:
            set_flag(host, "-i", path)
    assert host.run("systemctl show --property=InvocationID,MainPID hello").stdout == before
    host.run("os-containers update hello")
    assert host.read("/etc/hello/hello.conf") == "version 2\n"


def set_flag(host: Host, flag: str, path: str) -> None:
    # a minimal host has no chattr of its own
    subprocess.run(["chattr", flag, f"{host.tree}{path}"], check=True)


def test_b77_a_read_only_directory_is_told_before_anything_changes(
    host: Host, push_hello: Push, refused: Callable[..., Result]
) -> None:
    """As /usr is on an image-based host; files elsewhere are no problem."""
    image = push_hello(HelloImage("1", files=FILES), "hello:latest")
    host.run("mount --bind /usr /usr && mount -o remount,bind,ro /usr")
    try:
        refused(f"install --insecure --name hello {image}", 8, "/usr/local/bin is on a read-only file system")
        elsewhere = push_hello(HelloImage("2", files={CONF: "version 1\n"}), "hello:latest")
        host.run(f"os-containers pull --insecure {elsewhere}")
        install(host, elsewhere)
        host.run("os-containers uninstall hello")
    finally:
        host.run("umount --lazy /usr")  # what was started meanwhile keeps it busy


def test_b75_two_names_of_one_file_belong_to_one_container(
    host: Host, push_hello: Push, refused: Callable[..., Result]
) -> None:
    """On merged /usr, /lib/x is /usr/lib/x; and a directory of both stays until the second has gone."""
    one = push_hello(HelloImage("1", files={"/exports/hostfs/usr/lib/hello/x": "1\n"}), "hello:latest")
    options = "--allow-host-path /usr/lib/hello"
    install(host, one, options)
    two = push_hello(HelloImage("1", files={"/exports/hostfs/lib/hello/x": "1\n"}), "other:latest")
    refused(f"install --insecure {options} {two}", 6, "/usr/lib/hello/x belongs to the container hello")
    three = push_hello(HelloImage("1", files={"/exports/hostfs/lib/hello/y": "1\n"}), "other:latest")
    host.run(f"os-containers pull --insecure {three}")
    host.run(f"os-containers install --name other {options} {three}")
    host.run("os-containers uninstall hello")
    assert host.run("ls /usr/lib/hello").stdout == "y\n"
    host.run("os-containers uninstall other")
    assert not host.exists("/usr/lib/hello")


def test_b76_files_that_were_deleted_or_replaced_by_links(host: Host, push_hello: Push) -> None:
    """A deleted one comes back with an update; a link stays, and what it points to stays as it is."""
    image = push_hello(HelloImage("1", files=FILES), "hello:latest")
    install(host, image)
    victim = host.read("/etc/hostname")
    host.run("rm /usr/local/bin/hello-tool; ln --symbolic --force /etc/hostname /etc/hello/hello.conf")
    newer = {CONF: "version 2\n", TOOL: "#!/bin/sh\n# 2\n"}
    push_hello(HelloImage("2", files=newer), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    host.run("os-containers update hello")
    assert host.read("/usr/local/bin/hello-tool") == "#!/bin/sh\n# 2\n"
    assert host.run("readlink /etc/hello/hello.conf").stdout == "/etc/hostname\n"
    assert host.read("/etc/hello/hello.conf.os-containers-new") == "version 2\n"
    host.run("os-containers rollback hello")
    assert not host.exists("/etc/hello/hello.conf.os-containers-new")
    said = os_containers(host, "uninstall hello").stderr
    assert "kept /etc/hello/hello.conf" in said
    assert host.run("readlink /etc/hello/hello.conf").stdout == "/etc/hostname\n"
    assert host.read("/etc/hostname") == victim
    host.run("rm -r /etc/hello")
