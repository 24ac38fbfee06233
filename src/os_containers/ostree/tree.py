"""A tree of files as OSTree sees it: names and checksums, no content; pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Directory:
    """A directory: checksums of its files and symlinks by name, and the directories in it.

    meta is the checksum of its dirmeta, None when nothing but the paths of others said that it exists.
    """

    meta: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    directories: dict[str, "Directory"] = field(default_factory=dict)

    def walk(self) -> Iterator["Directory"]:
        """Return this directory and all beneath it, parents first; depth costs no stack."""
        pending = [self]
        while pending:
            directory = pending.pop()
            yield directory
            pending.extend(directory.directories.values())
