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
    """A blob that is a file; close() waits for a read() in another thread."""

    def __init__(self, path: Path, descriptor: int) -> None:
        super().__init__(io.FileIO(descriptor))
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes. Raises SystemFaultError when the disk does not give them."""
        try:
            return super().read(size)
        except OSError as error:
            raise system_fault(error, self._path) from error


def find_blob(reference: ImageReference, digest: Digest) -> LayoutBlob | None:
    """Return a blob of an image; None when it is in no layout, or cannot be opened: skopeo tells why."""
    if reference.transport != "oci":
        return None
    # no directory that skopeo takes has a colon in its name
    path = Path(reference.rest.partition(":")[0], "blobs", "sha256", digest.hex)
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return LayoutBlob(path, descriptor)
        os.close(descriptor)
    return None
