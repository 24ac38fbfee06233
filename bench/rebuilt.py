"""A layer built anew: all its times are other ones, and the content of every hundredth file."""

import io
import tarfile
from pathlib import Path

EVERY = 100
# of the file system: what a file takes on the disk is a multiple of it
BLOCK = 4096


def rebuild(blob: Path, target: Path) -> tuple[int, int]:
    """Write the tar of a layer built anew; return how many files changed, and what they take on a disk."""
    seen = files = size = 0
    with (
        tarfile.open(blob, "r|gz") as source,
        tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member in source:
            member.mtime = int(member.mtime) + 1
            if not member.isreg() or not member.size:
                archive.addfile(member)
                continue
            content = _content(source, member)
            seen += 1
            if seen % EVERY == 0:
                content = bytes([content[0] ^ 1]) + content[1:]
                files += 1
                size += -(-len(content) // BLOCK) * BLOCK
            archive.addfile(member, io.BytesIO(content))
    return files, size


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None  # noqa: S101 - it is a regular file
    return file.read()
