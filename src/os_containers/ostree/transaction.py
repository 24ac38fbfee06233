"""One import into the repo: objects, commits, then refs; all of it or nothing."""

import contextlib
import sys
from collections.abc import Iterator, Mapping

from os_containers.ostree.gi import GLib, OSTree, translate_errors
from os_containers.ostree.object_stage import ObjectStage

_COMMIT = "(a{sv}aya(say)sstayay)"


class Transaction:
    """Collects what is new; the repo shows it when the transaction has ended well."""

    def __init__(self, ostree: OSTree.Repo, objects: ObjectStage) -> None:
        self.objects = objects
        self.refs: dict[str, str] = {}
        self._ostree = ostree

    def write_commit(self, tree: tuple[str, str], metadata: Mapping[str, str], timestamp: int = 0) -> str:
        """Write the commit of a tree (the checksums of its dirtree and dirmeta) and return its checksum."""
        dirtree, dirmeta = tree
        commit = GLib.Variant(
            _COMMIT,
            (
                {key: GLib.Variant("s", value) for key, value in metadata.items()},
                [],
                [],
                "",
                "",
                # OSTree's numbers are big-endian, whatever the machine is.
                int.from_bytes(timestamp.to_bytes(8, "big"), sys.byteorder),
                list(bytes.fromhex(dirtree)),
                list(bytes.fromhex(dirmeta)),
            ),
        )
        with translate_errors("write a commit"):
            _, checksum = self._ostree.write_metadata(OSTree.ObjectType.COMMIT, None, commit, None)
        return bytes(checksum).hex()

    def set_ref(self, ref: str, commit: str) -> None:
        """Let a ref name a commit once everything is stored."""
        self.refs[ref] = commit


@contextlib.contextmanager
def libostree_transaction(ostree: OSTree.Repo) -> Iterator[None]:
    """Hold a transaction of libostree open, which keeps prune away; commit it, or abort it on an error."""
    with translate_errors("begin a transaction"):
        ostree.prepare_transaction(None)
    try:
        yield
        with translate_errors("commit the transaction"):
            ostree.commit_transaction(None)
    except BaseException:
        ostree.abort_transaction(None)
        raise


@contextlib.contextmanager
def shared_lock(ostree: OSTree.Repo) -> Iterator[None]:
    """Keep prune away for longer than a transaction: until its refs are set."""
    with translate_errors("lock the repo"):
        ostree.lock_push(OSTree.RepoLockType.SHARED, None)
    try:
        yield
    finally:
        ostree.lock_pop(OSTree.RepoLockType.SHARED, None)
