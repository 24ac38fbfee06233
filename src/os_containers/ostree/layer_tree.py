"""The tree of one layer, built from its tar entries in whatever order they come; touches no file system.

What a tar may say twice or backwards is settled here: an entry before its parent, a hard link before its
target, a path that occurs twice (the last wins). What another reader could understand otherwise is refused:
an entry beneath a file or symlink, or a directory with content that becomes one.
"""

from os_containers.errors import ImageError
from os_containers.ostree.merge import OPAQUE, WHITEOUT, WHITEOUT_OF_WHITEOUTS
from os_containers.ostree.tree import Directory

# A runtime mounts onto these: through a symlink it would mount elsewhere.
_MOUNT_POINTS = {"dev", "proc", "sys"}


class LayerTree:
    """Takes the entries of a layer by path; root is the tree that they make, once finish() was called."""

    def __init__(self) -> None:
        self.root = Directory()
        self.repeated = 0
        self._links: list[tuple[str, str]] = []

    def add_directory(self, path: str, meta: str) -> None:
        """Put a directory with its attributes at a path; "" is the root."""
        directory = self.root
        if path:
            parent, name = self._place(path)
            if parent.files.pop(name, None):
                self.repeated += 1
            directory = parent.directories.setdefault(name, Directory())
        if directory.meta:
            self.repeated += 1
        directory.meta = meta

    def add_file(self, path: str, checksum: str) -> None:
        """Put a regular file at a path."""
        parent, name = self._place(path)
        directory = parent.directories.pop(name, None)
        if directory and (directory.files or directory.directories):
            raise ImageError(f"{path!a} is a directory with content and also a file")
        if directory or name in parent.files:
            self.repeated += 1
        parent.files[name] = checksum

    def add_link(self, path: str, checksum: str) -> None:
        """Put a symlink, or another name of a file, at a path."""
        if path in _MOUNT_POINTS:
            raise ImageError(f"/{path} is a link, not a directory")
        self.add_file(path, checksum)

    def add_hard_link(self, path: str, target: str) -> None:
        """Put what is at target, by now or later in this layer, at a path as well."""
        checksum = self._find_file(target)
        if checksum:
            self.add_link(path, checksum)
        else:
            self._links.append((path, target))

    def finish(self) -> None:
        """Settle the hard links whose target came later."""
        for path, target in self._links:
            checksum = self._find_file(target)
            if checksum is None:
                raise ImageError(f"hard link {path!a} to {target!a}, which is not a file of its layer")
            self.add_link(path, checksum)

    def _place(self, path: str) -> tuple[Directory, str]:
        if not path:
            raise ImageError("the root of a layer is not a directory")
        *parents, name = path.split("/")
        directory = self.root
        for parent in parents:
            if parent in directory.files:
                raise ImageError(f"{path!a} lies beneath {parent!a}, which is not a directory")
            inner = directory.directories.get(parent)
            if inner is None:
                inner = directory.directories[parent] = Directory()
            directory = inner
        return directory, name

    def _find_file(self, path: str) -> str | None:
        *parents, name = path.split("/")
        directory: Directory | None = self.root
        for parent in parents:
            directory = directory.directories.get(parent) if directory else None
        return directory.files.get(name) if directory and not name.startswith(WHITEOUT) else None


def is_whiteout(path: str) -> bool:
    """Tell whether a path hides another; raises ImageError for one that pretends to."""
    *parents, name = path.split("/")
    if any(parent.startswith(WHITEOUT) for parent in parents):
        raise ImageError(f"{path!a} lies beneath a whiteout")
    if not name.startswith(WHITEOUT):
        return False
    # Some readers take these for the directory itself or for its parent.
    if name.removeprefix(WHITEOUT) in {"", ".", ".."}:
        raise ImageError(f"{path!a} is not a valid whiteout")
    return True


def is_bookkeeping(path: str) -> bool:
    """Tell whether a path is what aufs left in the layers of old images, such as `.wh..wh.plnk/17`.

    It would hide a name that begins with `.wh.`, which nothing can have.
    """
    return any(
        part.startswith(WHITEOUT_OF_WHITEOUTS) and part not in {OPAQUE, WHITEOUT_OF_WHITEOUTS}
        for part in path.split("/")
    )
