"""A virtual machine with SELinux and Debian's policy: every file and process has the label that it should.

One boot: selinux_guest.py compares after each command what `matchpathcon` says of a path with what it has,
first with the policy in permissive mode, then enforced for all but the runtime itself.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from testhost import selinux_guest as guest
from testhost.commands import run
from testhost.disk_image import make_disk
from testhost.hello import HelloImage
from testhost.machine import Host
from testhost.virtual_machine import Hardware, VirtualMachine, hardware_for
from testhost.volatile_disk import VolatileDisk

SUITE = "trixie"
PACKAGES = ("policycoreutils", "selinux-policy-default", "selinux-utils")
SECONDS = 1200
PROGRAM = f"{guest.IMAGES}/guest.py"
CONTEXTS = "/etc/selinux/default/contexts/files/file_contexts"
COMMAND_LINE = (
    "security=selinux selinux=1 enforcing=0 systemd.unit=selinux.target"
    " systemd.mask=getty.target systemd.mask=serial-getty@ttyS0.service systemd.mask=systemd-logind.service"
)
# What Debian's policy lacks for runtimes that systemd starts, and the rule of container-selinux for images
# whose files are shared.
MENDED = """\
(typepermissive container_engine_t)
(allow container_t container_ro_file_t (file (entrypoint)))
"""
UNITS = {
    "selinux.target": "[Unit]\nRequires=multi-user.target selinux.service\nAfter=multi-user.target\n",
    # in the domain of an administrator who has logged in
    "selinux.service": (
        f"[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/usr/bin/python3 {PROGRAM}\n"
        "SELinuxContext=unconfined_u:unconfined_r:unconfined_t:s0\n"
    ),
}


def play() -> int:
    """Boot the machine and show what it tells; return 0 when nothing is wrong."""
    wrong = 0
    with _prepared_machine() as (hardware, disk, console):
        for told in _told(hardware, disk, console):
            wrong += not told["right"]
            print(f"{'  ' if told['right'] else 'NOT SO: '}{told['what']}", flush=True)
    print(f"selinux: {wrong} things are not as they should be")
    return 1 if wrong else 0


@contextlib.contextmanager
def _prepared_machine() -> Iterator[tuple[Hardware, Path, Path]]:
    with Host.installed(SUITE, PACKAGES) as tree:
        with Host.powered_on(SUITE, tree) as host:
            _set_up(host)
        directory = tree.with_suffix(".shared")
        hardware = hardware_for(tree, SUITE, COMMAND_LINE)
        _mend_policy(tree)
        # as a host is labelled when SELinux is switched on there
        run(["chroot", tree, "setfiles", "-F", CONTEXTS, "/"])
        make_disk("ext4", tree, directory / "machine.img")
        yield hardware, directory / "machine.img", directory / "machine.console"


def _mend_policy(tree: Path) -> None:
    module = tree / "root/mended.cil"
    module.write_text(MENDED)
    run(["chroot", tree, "semodule", "--noreload", "--install=/root/mended.cil"])


def _set_up(host: Host) -> None:
    host.write(PROGRAM, Path(guest.__file__).read_text())
    for name, text in UNITS.items():
        host.write(f"/etc/systemd/system/{name}", text)
    for version in guest.VERSIONS:
        files = {
            "/exports/hostfs/etc/hello/hello.conf": f"version = {version}\n",
            "/exports/hostfs/usr/local/bin/hello-version": f"version {version}\n",
            f"/exports/hostfs/opt/hello/bin/tool-{version}": "bin_t, in a directory of usr_t\n",
            "/exports/tmpfiles.template": "d /run/hello 0755 root root -\n",
        }
        if version == guest.LABELLED:
            files["/exports/config.json.template"] = json.dumps(_labelled_config())
        HelloImage(version, files=files).put(host, f"{guest.IMAGES}/{version}")


def _labelled_config() -> dict[str, object]:
    return {
        "ociVersion": "1.0.2",
        "process": {
            "args": ["/bin/hello"],
            "cwd": "/",
            "env": ["PATH=/bin"],
            "selinuxLabel": guest.ASKED,
            "user": {"uid": 0, "gid": 0},
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
    }


def _told(hardware: Hardware, image: Path, console: Path) -> Iterator[dict[str, object]]:
    until = time.monotonic() + SECONDS
    with (
        contextlib.closing(VolatileDisk(image)) as disk,
        VirtualMachine.powered_on(hardware, disk, console) as machine,
    ):
        while time.monotonic() < until:
            for line in machine.read_lines(timeout=1):
                _, mark, text = line.partition(f"{guest.MARK} {{")
                if mark:
                    told = json.loads("{" + text)
                    if told["what"] == guest.END:
                        return
                    yield told
    yield {"right": False, "what": f"not at its end after {SECONDS} s: {console.read_text()[-2000:]}"}
