"""podman with all that it keeps on one disk; overlay, as it comes."""

from bench.disk import Disk
from bench.measure import Command


def call(disk: Disk, *words: str) -> Command:
    """Return the command line of a podman command."""
    return ["podman", "--tmpdir", disk.directory / "podman/tmp", *words]


def environment(disk: Disk) -> dict[str, str]:
    """Return the variables that keep it off the files of the machine."""
    root = disk.directory / "podman"
    for directory in (root, root / "scratch"):
        directory.mkdir(exist_ok=True)
    configuration = root / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/root"\nrunroot = "{root}/run"\n'
    )
    # where blobs wait: on the same disk, as /var/tmp and /var/lib are
    return {
        "CONTAINERS_STORAGE_CONF": str(configuration),
        "TMPDIR": str(root / "scratch"),
        "HOME": "/root",
    }
