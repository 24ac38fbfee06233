"""What has become of our host files: whether somebody changed or removed them, as any person may."""

from collections.abc import Iterator, Sequence
from enum import Enum

from os_containers.deployment.exports import FileKind
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.faults import is_exhaustion
from os_containers.host.host_root import HostRoot
from os_containers.host.hostfiles import NEW_SUFFIX


class Drift(Enum):
    """How the host differs from what we put there."""

    CHANGED = "somebody has changed it: it is theirs"
    MISSING = "it is gone"
    IN_THE_WAY = "something else is there, which no update can go on with"
    UNREADABLE = "the disk does not give it back"


def drifted_files(
    installed: Sequence[InstalledFile], *, root: HostRoot | None = None
) -> Iterator[tuple[str, Drift]]:
    """Yield the paths of installed files that are not as they were put there, and how they differ."""
    links = (file.path for file in installed if file.kind is FileKind.SYMLINK)
    trusting = (root or HostRoot()).distrusting(links)
    for file in installed:
        drift = _drift(file, trusting)
        if drift:
            yield file.path, drift


def _drift(file: InstalledFile, root: HostRoot) -> Drift | None:
    try:
        present = root.find(root.real_path(file.path))
    except ConflictError:
        return Drift.IN_THE_WAY
    except OSError as error:
        if is_exhaustion(error):
            raise
        return Drift.UNREADABLE
    if present is None:
        # who has merged a new version into the own one removes it
        return None if file.path.endswith(NEW_SUFFIX) else Drift.MISSING
    if (present.kind, present.checksum) == (file.kind, file.checksum):
        return None
    if FileKind.DIRECTORY not in {present.kind, file.kind} or present.kind is FileKind.SYMLINK:
        return Drift.CHANGED  # also a directory that has moved, with a link to it
    return Drift.IN_THE_WAY
