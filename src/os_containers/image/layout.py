"""Blobs of an OCI layout on this machine (image-layout.md): read where they are.

skopeo opens the image by the rules of the host, as it opens any other; a copy of each blob through a pipe is
what this saves. Whoever reads a blob compares it with its digest, wherever it comes from.
"""

import contextlib
import io
import os
import stat
from pathlib import Path

from os_containers.faults import system_fault
from os_containers.image.manifest import Digest
from os_containers.image.reference import ImageReference


class LayoutBlob(io.BufferedReader):
    """A blob that is a file, of which at most size bytes are read; close() waits for a read() elsewhere."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        super().__init__(io.FileIO(descriptor))
        self._path = path
        self._left = size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes. Raises SystemFaultError when the disk does not give them."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        try:
            piece = super().read(wanted)
        except OSError as error:
            raise system_fault(error, self._path) from error
        self._left -= len(piece)
        return piece


def find_blob(reference: ImageReference, digest: Digest, size: int) -> LayoutBlob | None:
    """Return a blob of that size of an image in a layout.

    None for other images, and for a blob that is not as it should be: skopeo tells what is wrong with it.
    """
    if reference.transport != "oci":
        return None
    # no directory that skopeo takes has a colon in its name
    path = Path(reference.rest.partition(":")[0], "blobs", "sha256", digest.hex)
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size == size:
            return LayoutBlob(path, descriptor, size)
        os.close(descriptor)
    return None
