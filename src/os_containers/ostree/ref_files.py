"""Refs on disk, so that a ref is always whole and durable and one damaged ref does not hide the others.

    repo/refs/heads/ociimage/NAME                      one line: the checksum of a commit
    repo/refs/heads/os-containers/deploy/NAME/SERIAL

libostree writes the same files, but syncs neither them nor their directory, leaves its temporary file among
the refs when it is killed, and lists nothing when one ref is damaged.
"""

import contextlib
import errno
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from os_containers import files
from os_containers.errors import BrokenError
from os_containers.faults import is_exhaustion
from os_containers.ostree.free_space import write_fault
from os_containers.ostree.objects import make_way

_REPAIR = "os-containers repair fixes it"
_NO_FILE = {errno.EISDIR: "it is a directory", errno.ELOOP: "it is a link to itself"}
_CHECKSUM = re.compile(rb"[0-9a-f]{64}\n?")


@dataclass(frozen=True, slots=True)
class _Written:
    """A ref that has been written, what it said before, and the inode of its file now."""

    ref: str
    former: bytes | None
    inode: int


class RefFiles:
    """The refs of a repo."""

    def __init__(self, repo: Path) -> None:
        self._heads = repo / "refs/heads"
        self._temporary = repo / "tmp"

    def names(self, prefix: str, *, levels: int = 1) -> list[str]:
        """Return the refs so many names beneath prefix, sorted; also one that has become something else."""
        found = files.entries_beneath(self._heads / prefix, levels=levels)
        return [str(path.relative_to(self._heads)) for path in found]

    def commits_but(self, left_out: Collection[str]) -> set[str]:
        """Return the commits that all refs name, others' too, but those left out.

        Raises OSError for a directory that cannot be read: what is in it may name anything.
        """
        out = {self._heads / ref for ref in left_out}
        lines = (path.read_bytes() for path in self._all_files() if path not in out)
        return {line.decode().strip() for line in lines if _CHECKSUM.fullmatch(line)}

    def commits_by_owner(self, ours: Collection[str]) -> tuple[set[str], set[str]]:
        """Return the commits that refs beneath these names have, and those that all others have.

        Raises OSError as commits_but does.
        """
        tops = [self._heads / top for top in ours]
        found: tuple[set[str], set[str]] = (set(), set())
        for path in self._all_files():
            is_ours = any(path.is_relative_to(top) for top in tops)
            line = path.read_bytes()
            if _CHECKSUM.fullmatch(line):
                found[0 if is_ours else 1].add(line.decode().strip())
        return found

    def _all_files(self) -> Iterator[Path]:
        # Path.rglob passes over what it cannot read
        for directory, _, names in os.walk(self._heads.parent, onerror=_raise):
            paths = (Path(directory, name) for name in names)
            yield from (path for path in paths if path.is_file())

    def read(self, ref: str) -> str | None:
        """Return the commit that a ref names, None without such a ref; BrokenError when it names none."""
        try:
            line = (self._heads / ref).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise BrokenError(f"the ref {ref} is damaged: {_NO_FILE[error.errno]}", hint=_REPAIR) from error
        if not _CHECKSUM.fullmatch(line):
            raise BrokenError(f"the ref {ref} is damaged", hint="pull the image again")
        return line.decode().strip()

    def find(self, ref: str) -> str | None:
        """Return the commit that a ref names, None without the ref or when it is damaged."""
        try:
            return self.read(ref)
        except BrokenError:
            return None

    def require(self, ref: str) -> str:
        """Return the commit that a ref names. Raises BrokenError without the ref, or when it is damaged."""
        commit = self.read(ref)
        if commit is None:
            raise BrokenError(f"the ref {ref} is missing", hint="pull the image again")
        return commit

    def written(self, ref: str) -> datetime:
        """Return when a ref was written last."""
        return datetime.fromtimestamp((self._heads / ref).stat().st_mtime, tz=UTC)

    def write(self, refs: Mapping[str, str]) -> None:
        """Let each ref name its commit, durably; when that cannot be done, each names the one from before.

        Raises SystemFaultError, or BrokenError when there is a directory in the way.
        """
        written: list[_Written] = []
        try:
            for ref, commit in refs.items():
                former = self._former(ref)
                written.append(_Written(ref, former, self._write(ref, f"{commit}\n".encode())))
            self._sync_directories(refs)
        except (OSError, BrokenError) as error:
            for one in written:
                with contextlib.suppress(OSError, BrokenError):
                    self._put_back(one)
            if isinstance(error, OSError):
                raise write_fault(self._heads.parent.parent, error) from error
            raise

    def remove(self, refs: Collection[str]) -> None:
        """Remove refs, durably; one that is not there is fine."""
        for ref in refs:
            make_way(self._heads / ref, "ref")
            (self._heads / ref).unlink(missing_ok=True)
        self._sync_directories(refs)

    def remove_directory(self, prefix: str) -> None:
        """Remove the directory of a prefix when it has no refs; only for who alone writes such refs."""
        files.remove_if_empty(self._heads / prefix)

    def remove_leftovers(self) -> None:
        """Remove what killed writers left; only for the one who knows that nobody is writing."""
        for temporary in self._temporary.glob(f"{files.TEMPORARY_PREFIX}*"):
            temporary.unlink()

    def _write(self, ref: str, content: bytes) -> int:
        """Write a ref and return the inode of its file."""
        path = self._heads / ref
        files.make_directory(path.parent)
        make_way(path, "ref")
        with files.written_beside(self._temporary / "ref", content) as temporary:
            inode = temporary.stat().st_ino
            temporary.rename(path)
        return inode

    def _put_back(self, written: "_Written") -> None:
        path = self._heads / written.ref
        # not what another command has written since, be it the same
        if path.stat().st_ino != written.inode:
            return
        if written.former:
            self._write(written.ref, written.former)
        else:
            path.unlink()

    def _former(self, ref: str) -> bytes | None:
        """Return what is written in a ref; None without one, and for one that nobody can read."""
        try:
            return (self._heads / ref).read_bytes()
        except OSError as error:
            if is_exhaustion(error):
                raise
            return None

    def _sync_directories(self, refs: Collection[str]) -> None:
        for directory in {(self._heads / ref).parent for ref in refs}:
            if directory.exists():
                files.fsync_directory(directory)


def _raise(error: OSError) -> None:
    raise error
