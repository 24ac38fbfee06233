"""A virtual machine that is switched on and loses its power; software emulation, so that it runs anywhere."""

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from testhost.kernel import cached_kernel, kernel_image, make_initrd
from testhost.nbd import served
from testhost.volatile_disk import VolatileDisk

COMMAND_LINE = (
    "console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on "
    "systemd.show_status=no systemd.log_level=warning"
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is started, and with which words on the kernel's command line."""

    kernel: Path
    initrd: Path
    command_line: str = ""


def hardware_for(tree: Path, suite: str, command_line: str) -> Hardware:
    """Return what boots a disk with the tree of a host; the initrd lies in what is shared with the host."""
    kernel = cached_kernel(tree.parent.parent, suite)
    initrd = tree.with_suffix(".shared") / "initrd"
    make_initrd(kernel, tree / "usr/bin/busybox", initrd)
    return Hardware(kernel_image(kernel), initrd, command_line)


@dataclass(slots=True)
class VirtualMachine:
    """A running machine, seen through its serial console."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    _rest: bytes = field(default=b"")

    @classmethod
    @contextlib.contextmanager
    def powered_on(cls, hardware: Hardware, disk: VolatileDisk, log: Path) -> Iterator["VirtualMachine"]:
        """Give a machine that has just been switched on; kill it afterwards. Its console is in log."""
        socket = log.with_suffix(".nbd")
        with (
            served(disk, socket),
            log.open("wb", buffering=0) as file,
            subprocess.Popen(
                _qemu(hardware, socket), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            ) as process,
        ):
            try:
                yield cls(process, file)
            finally:
                disk.cut_power()
                process.kill()

    def read_lines(self, *, timeout: float) -> list[str]:
        """Return the lines that the console shows within a time; raise EOFError when the machine is off."""
        if self.process.stdout is None or not select.select([self.process.stdout], [], [], timeout)[0]:
            return []
        piece = os.read(self.process.stdout.fileno(), 65536)
        if not piece:
            raise EOFError
        self.log.write(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [line.decode(errors="replace").strip() for line in lines]


def _qemu(hardware: Hardware, socket: Path) -> list[str]:
    return [
        # it must not outlive us, even when we are killed
        "setpriv", "--pdeathsig=SIGKILL", "--",
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        # one processor: when the kernel patches itself, another emulated one may trip over that
        "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1024",
        "-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd),
        "-append", f"{COMMAND_LINE} {hardware.command_line}",
        "-blockdev", f"driver=nbd,node-name=disk,server.type=unix,server.path={socket}",
        "-device", "virtio-blk-pci,drive=disk,discard=off,write-zeroes=off",
        "-serial", "stdio",
    ]  # fmt: skip
