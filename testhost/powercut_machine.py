"""The machine whose power is cut: a host is installed and set up in the test host, and becomes a disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testhost import powercut_guest as guest
from testhost.disk_image import make_disk
from testhost.hello import HelloImage, start_hello
from testhost.machine import Host
from testhost.virtual_machine import Hardware, hardware_for

SUITE = "trixie"
# What it starts with.
STATE = "1"
PROGRAM = f"{guest.IMAGES}/guest.py"
COMMAND_LINE = (
    "audit=0 systemd.unit=powercut.target systemd.mask=getty.target systemd.mask=serial-getty@ttyS0.service "
    "systemd.mask=systemd-logind.service"
)
UNITS = {
    "powercut.target": "[Unit]\nRequires=multi-user.target powercut.service\nAfter=multi-user.target\n",
    "powercut.service": (
        f"[Unit]\nAfter=multi-user.target {guest.RECOVERY} {guest.CONTAINER}.service\n"
        f"[Service]\nExecStart=/usr/bin/python3 {PROGRAM} run\n"
    ),
}
# Each version has a file of its own, one that it shares with the other, and one rendered from a template.
MANIFEST = (
    '{"version": "1.0", "defaultValues": {"GREETING": "hello %s"},'
    ' "installedFilesTemplate": ["/etc/hello/hello.conf"]}'
)
OWN_FILE = {"1": "hello-old", "2": "hello-new", guest.SPARE: "hello-spare"}


@dataclass(frozen=True, slots=True)
class PreparedMachine:
    """What it takes to switch it on, and where its disk and what its console shows are to be kept."""

    hardware: Hardware
    clean_disk: Path
    disk: Path
    console: Path


@contextmanager
def prepared_machine(file_system: str) -> Iterator[PreparedMachine]:
    """Give a machine with a container of version 1 that runs; remove it afterwards."""
    with Host.installed(SUITE) as tree:
        with Host.powered_on(SUITE, tree) as host:
            _set_up(host)
        directory = tree.with_suffix(".shared")
        hardware = hardware_for(tree, SUITE, COMMAND_LINE)
        make_disk(file_system, tree, directory / "clean.img")
        yield PreparedMachine(
            hardware,
            clean_disk=directory / "clean.img",
            disk=directory / "machine.img",
            console=directory / "machine.console",
        )


def _set_up(host: Host) -> None:
    host.write(PROGRAM, Path(guest.__file__).read_text())
    for name, text in UNITS.items():
        host.write(f"/etc/systemd/system/{name}", text)
    # its journal on disk would be most of what is written
    host.write("/etc/systemd/journald.conf.d/powercut.conf", "[Journal]\nStorage=volatile\n")
    for version in OWN_FILE:
        _pull(host, version)
    for version in reversed(guest.VERSIONS):
        _install(host, version)
        if version != STATE:
            host.run(f"os-containers uninstall {guest.CONTAINER}")
            _record(host, guest.ABSENT)


def _pull(host: Host, version: str) -> None:
    files = {
        "/exports/manifest.json": MANIFEST % version,
        "/exports/hostfs/etc/hello/hello.conf": "greeting=$GREETING\n",
        "/exports/hostfs/usr/local/bin/hello-version": f"version {version}\n",
        f"/exports/hostfs/usr/local/bin/{OWN_FILE[version]}": f"only in {version}\n",
        **{f"/srv/{number}": f"file {number} of version {version}\n" for number in range(20)},
    }
    HelloImage(version, files=files).put(host, f"{guest.IMAGES}/{version}")
    if version != guest.SPARE:
        host.run(f"os-containers pull oci:{guest.IMAGES}/{version}:{version} --name-image hello:{version}")


def _install(host: Host, version: str) -> None:
    host.run(f"os-containers images tag hello:{version} hello:latest")
    host.run(f"os-containers install --name {guest.CONTAINER} hello:latest")
    _record(host, f"{version}{guest.STOPPED}")
    start_hello(host)
    _record(host, version)


def _record(host: Host, name: str) -> None:
    host.run(["python3", PROGRAM, "record", name])
