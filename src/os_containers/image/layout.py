"""Blobs of an OCI layout on this machine (image-layout.md): read where they are.

skopeo opens the image by the rules of the host, as it opens any other; a copy of each blob through a pipe is
what this saves. Whoever reads a blob compares it with its digest, wherever it comes from.
"""

import io
import os
import stat
from pathlib import Path

from os_containers.errors import ImageError
from os_containers.faults import system_fault
from os_containers.image.manifest import Digest
from os_containers.image.reference import ImageReference


class LayoutBlob(io.RawIOBase):
    """A blob that is a file, of which at most size bytes are read."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        # its close() waits for a read() in another thread
        self._file = os.fdopen(descriptor, "rb")
        self._path = path
        self._left = size

    def read(self, n: int = -1, /) -> bytes:
        """Return the next bytes. Raises SystemFaultError when the disk does not give them."""
        try:
            piece = self._file.read(self._left if n < 0 else min(n, self._left))
        except OSError as error:
            raise system_fault(error, self._path) from error
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._file.close()
        super().close()


def find_blob(reference: ImageReference, digest: Digest, size: int) -> LayoutBlob | None:
    """Return a blob of that size of an image in a layout.

    None for other images, and where there is none of that size to be opened: skopeo tells why. Raises
    ImageError for what is no file, for which skopeo would wait.
    """
    if reference.transport != "oci":
        return None
    # no directory that skopeo takes has a colon in its name
    path = Path(reference.rest.partition(":")[0], "blobs", "sha256", digest.hex)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size == size:
        return LayoutBlob(path, descriptor, size)
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{path} is not a regular file", hint="copy the image again with skopeo copy")
    return None
