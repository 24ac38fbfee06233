"""A kernel for virtual machines, and the smallest initrd that finds their disk."""

import lzma
from collections.abc import Iterator
from pathlib import Path

from testhost.commands import TOGETHER, run
from testhost.roots import cached_tree, key_of

PACKAGE = "linux-image-cloud-amd64"
# Debian's cloud kernel has all else built in.
# In the order in which they need each other.
MODULES = ("drivers/block/virtio_blk", "lib/libcrc32c", "fs/xfs/xfs")
# No udev, no file system check, no search: the kernel replays the file system's journal.
INIT = f"""\
#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /dev /new
busybox mount -t devtmpfs devtmpfs /dev
for module in {" ".join(Path(name).name for name in MODULES)}; do busybox insmod /$module.ko; done
until [ -b /dev/vda ]; do busybox sleep 0.05; done
for type in ext4 xfs; do busybox mount -t $type /dev/vda /new && break; done 2>/dev/null
[ -x /new/sbin/init ] && busybox umount /dev && exec busybox switch_root /new /sbin/init
echo "initrd: no root file system"
exec busybox poweroff -f
"""


def cached_kernel(pool: Path, suite: str) -> Path:
    """Return a tree with a suite's kernel in /boot and its modules in /usr/lib/modules."""
    return cached_tree(
        pool / "roots", f"kernel-{suite}-{key_of(PACKAGE)}", lambda tree: _extract(suite, tree)
    )


def kernel_image(kernel: Path) -> Path:
    """Return what an emulator starts."""
    return next((kernel / "boot").glob("vmlinuz-*"))


def make_initrd(kernel: Path, busybox: Path, target: Path) -> None:
    """Write an initrd with a static busybox."""
    files = {
        "bin/busybox": busybox.read_bytes(),
        "init": INIT.encode(),
        **{f"{Path(name).name}.ko": _module(kernel, name) for name in MODULES},
    }
    target.write_bytes(b"".join(_archive(files)))


def _extract(suite: str, tree: Path) -> None:
    print(f"testhost: fetching a kernel of Debian {suite}, about 10 s", flush=True)
    run([
        *TOGETHER, "mmdebstrap", "--variant=extract", f"--include={PACKAGE}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", suite, tree,
    ])  # fmt: skip


def _module(kernel: Path, name: str) -> bytes:
    (packed,) = kernel.glob(f"usr/lib/modules/*/kernel/{name}.ko.xz")
    return lzma.decompress(packed.read_bytes())


def _archive(files: dict[str, bytes]) -> Iterator[bytes]:
    """Give the pieces of a cpio archive, whose headers are 13 numbers in hexadecimal."""
    members = [("bin", 0o040755, b""), *((name, 0o100755, data) for name, data in files.items())]
    for number, (name, mode, data) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        yield _padded(header)
        yield _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
