"""The package of the program: what it brings, and that it goes as it came."""

import shutil
from collections.abc import Callable

from testhost.debian_package import program_package
from testhost.hello import HelloImage
from testhost.inventory import differences, list_files
from testhost.machine import SHARED, Host
from testhost.rpm_package import build_rpm
from testhost.storage import opened_pool
from testhost.unpackaged import PACKAGED_UNIT, UNIT, WANTS, without_packaged_unit

Push = Callable[[HelloImage, str], str]
OWN_UNIT = f"/etc/systemd/system/{UNIT}"
LINK = f"readlink --canonicalize {WANTS}"


def test_the_program_is_there_under_both_names(host: Host) -> None:
    """As dpkg unpacked it, its modules compiled, and the working directory not searched for them."""
    for name in ("os-containers", "os-container"):
        assert host.run([name, "--version"]).stdout == "os-containers 0.1.0\n"
    host.write("/root/click.py", "raise SystemExit('not this one')\n")
    host.run("cd /root && os-containers --help && rm click.py")
    assert host.run("dpkg --verify os-containers").stdout == ""
    assert host.exists("/usr/share/os-containers/os_containers/__pycache__")
    assert host.exists("/etc/os-containers")


def test_the_unit_is_the_packages(host: Host, push_hello: Push) -> None:
    """Enabled from the start, for users, too; with a container there is no other one, without it stays."""
    assert host.run(f"systemctl is-enabled {UNIT}").stdout == "enabled\n"
    assert host.run(f"systemctl --global is-enabled {UNIT}").stdout == "enabled\n"
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    assert not host.exists(OWN_UNIT)
    host.run("os-containers uninstall hello")
    assert host.run(f"systemctl is-enabled {UNIT}").stdout == "enabled\n"


def test_our_own_unit_gives_way_to_the_packages(host: Host, push_hello: Push) -> None:
    """A container from before the package loses nothing: the unit that it was enabled by is another then."""
    image = push_hello(HelloImage("1"), "hello:latest")
    with without_packaged_unit(host):
        host.run(f"os-containers install --insecure --name hello {image}")
        assert host.run(f"systemctl is-enabled {UNIT}").stdout == "enabled\n"
        assert host.run(LINK).stdout.strip() == OWN_UNIT
        # as another installation of the program has written it
        host.run(f"sed --in-place s,/usr/bin/,/opt/bin/, {OWN_UNIT}")
    host.run(f"rm {WANTS} && ln -s {OWN_UNIT} {WANTS}")
    host.run("os-containers update --set UUID=1 hello")
    assert not host.exists(OWN_UNIT)
    assert host.run(LINK).stdout.strip() == PACKAGED_UNIT
    assert host.run(f"systemctl is-enabled {UNIT}").stdout == "enabled\n"


def test_without_a_package_the_unit_goes_with_the_last_container(host: Host, push_hello: Push) -> None:
    image = push_hello(HelloImage("1"), "hello:latest")
    with without_packaged_unit(host):
        host.run(f"os-containers install --insecure --name hello {image}")
        host.run("os-containers uninstall hello")
        assert host.run(f"systemctl cat {UNIT}", check=False).returncode != 0


def test_purged_and_installed_again(host: Host) -> None:
    """Nothing of it is left, and the host is then as it was."""
    with opened_pool() as pool:
        package = program_package(pool, host.suite)
    shutil.copy(package, host.shared)
    before = list_files(host.root)
    host.run("dpkg --purge os-containers")
    left = host.run("find / -xdev -name '*os[-_]container*' -not -path '/proc/*'").stdout.splitlines()
    installed = host.run(f"dpkg --install {SHARED}/{package.name}")
    (host.shared / package.name).unlink()
    assert left == []
    assert installed.returncode == 0
    assert [line for line in differences(before, list_files(host.root)) if "/var/lib/dpkg/" not in line] == []


def test_the_rpm_holds_the_same(host: Host) -> None:
    """It is for every architecture, and asks for what Fedora and EL call what we need."""
    with opened_pool() as pool:
        package = build_rpm(pool, host.shared)
    # of a database of its own: this is Debian
    query = f"rpm --dbpath={SHARED}/rpmdb --query --package {SHARED}/{package.name}"
    listed = set(host.run(f"{query} --list").stdout.splitlines())
    asked = host.run(f"{query} --requires").stdout.splitlines()
    architecture = host.run(f"{query} --queryformat '%{{ARCH}}'").stdout
    of_debian = set(host.run("dpkg --listfiles os-containers").stdout.splitlines())
    package.unlink()
    shutil.rmtree(host.shared / "rpmdb", ignore_errors=True)
    program = {path for path in of_debian if path.startswith(("/usr/bin/", "/usr/share/os-containers/os_"))}
    assert program - listed == set()
    assert {PACKAGED_UNIT, f"/usr/lib/systemd/user/{UNIT}", "/etc/os-containers"} <= listed
    assert {"(crun or runc)", "python3-gobject-base", "skopeo"} <= set(asked)
    assert architecture == "noarch"
