"""What libostree does for us: it owns the format, so it creates repos, locks, commits and prunes.

Imported only where something is to be written: bringing up GObject takes longer than most reading.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from os_containers.errors import BrokenError, OsContainersError
from os_containers.ostree.gi import Gio, GLib, OSTree, translate_errors
from os_containers.paths import Mode

_MODES = {Mode.SYSTEM: OSTree.RepoMode.BARE, Mode.USER: OSTree.RepoMode.BARE_USER}
# A depth without an end.
_HISTORY = -1
_KEY_FILE = "g-key-file-error-quark"
_COMMIT = "(a{sv}aya(say)sstayay)"


def create_repo(path: Path, mode: Mode) -> None:
    """Make an empty directory a repo; it is not durable before the caller syncs."""
    with translate_errors(f"create the repo {path}"):
        _repo_at(path).create(_MODES[mode], None)


class Libostree:
    """A repo, opened by libostree."""

    def __init__(self, repo: OSTree.Repo) -> None:
        self._repo = repo

    @classmethod
    def open(cls, path: Path, *, hint: str) -> "Libostree":
        """Return a repo that is there; the hint is for BrokenError, raised when it is damaged."""
        repo = _repo_at(path)
        with _damage_explained(hint), translate_errors(f"open the repo {path}"):
            repo.open(None)
        return cls(repo)

    @property
    def mode(self) -> Mode | None:
        """For whom it is, None when it is for neither the system nor a user."""
        found = self._repo.get_mode()
        return next((mode for mode, one in _MODES.items() if one == found), None)

    def reserve(self) -> int:
        """Return how many bytes of the file system the repo's configuration keeps free."""
        with translate_errors("read the repo's reserve"):
            return self._repo.get_min_free_space_bytes()[1]

    @contextlib.contextmanager
    def shared_lock(self) -> Iterator[None]:
        """Keep prune away for longer than a transaction: until its refs are set."""
        with translate_errors("lock the repo"):
            self._repo.lock_push(OSTree.RepoLockType.SHARED, None)
        try:
            yield
        finally:
            self._repo.lock_pop(OSTree.RepoLockType.SHARED, None)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold a transaction open, which keeps prune away; commit it, or abort it on an error."""
        with translate_errors("begin a transaction"):
            self._repo.prepare_transaction(None)
        try:
            yield
            with translate_errors("commit the transaction"):
                self._repo.commit_transaction(None)
        except BaseException:
            self._repo.abort_transaction(None)
            raise

    def write_commit(self, dirtree: str, dirmeta: str, metadata: Mapping[str, str], timestamp: int) -> str:
        """Write a commit within the transaction and return its checksum."""
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
            _, checksum = self._repo.write_metadata(OSTree.ObjectType.COMMIT, None, commit, None)
        return bytes(checksum).hex()

    def prune(self) -> tuple[int, int]:
        """Remove the objects that no ref needs; return how many, and their bytes.

        The history of a ref stays: ours have none, and that of others is theirs.
        """
        with translate_errors("prune the repo"):
            _, _, objects, size = self._repo.prune(OSTree.RepoPruneFlags.REFS_ONLY, _HISTORY, None)
        return objects, size


def _repo_at(path: Path) -> OSTree.Repo:
    return OSTree.Repo.new(Gio.File.new_for_path(os.fspath(path)))


@contextlib.contextmanager
def _damage_explained(hint: str) -> Iterator[None]:
    """Say how to get on without a repo that is damaged; one of a newer version, or an I/O error, is not."""
    try:
        yield
    except OsContainersError as error:
        is_garbled = isinstance(error.__cause__, GLib.Error) and error.__cause__.domain == _KEY_FILE
        if not is_garbled and not isinstance(error, BrokenError):
            raise
        raise BrokenError(error.message, hint=hint) from error
