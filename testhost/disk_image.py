"""A disk with one file system, made of a tree."""

import tempfile
from pathlib import Path

from testhost.commands import run

SIZE = "2G"
FILE_SYSTEMS = ("ext4", "xfs")


def make_disk(file_system: str, tree: Path, image: Path) -> None:
    """Write an image of a disk with all the files of a tree."""
    run(["truncate", f"--size={SIZE}", image])
    if file_system == "ext4":
        run(["mkfs.ext4", "-q", "-F", "-d", tree, image])
        return
    run(["mkfs.xfs", "-q", image])
    with tempfile.TemporaryDirectory() as mounted:
        run(["mount", "-o", "loop", image, mounted])
        try:
            run(["cp", "--archive", f"{tree}/.", mounted])
        finally:
            run(["umount", mounted])
