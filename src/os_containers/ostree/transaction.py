"""One import into the repo: objects, commits, then refs; all of it or nothing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from os_containers.ostree.object_stage import ObjectStage

if TYPE_CHECKING:
    # brings up GObject
    from os_containers.ostree.libostree import Libostree


class Transaction:
    """Collects what is new; the repo shows it when the transaction has ended well."""

    def __init__(self, libostree: "Libostree", objects: ObjectStage) -> None:
        self.objects = objects
        self.refs: dict[str, str] = {}
        self._libostree = libostree

    def write_commit(self, tree: tuple[str, str], metadata: Mapping[str, str], timestamp: int = 0) -> str:
        """Write the commit of a tree (the checksums of its dirtree and dirmeta) and return its checksum."""
        return self._libostree.write_commit(*tree, metadata, timestamp)

    def set_ref(self, ref: str, commit: str) -> None:
        """Let a ref name a commit once everything is stored."""
        self.refs[ref] = commit
