"""What a change of a container is up to, on disk while it is under way: recovery ends it or undoes it.

    .journal/NAME.json    one a container; there from before the first change until after the last one

Parsing and dumping are pure.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from os_containers import files
from os_containers.errors import BrokenError
from os_containers.faults import is_exhaustion

VERSION = 1
SIZE_LIMIT = 16 << 20


class ServiceState(msgspec.Struct, frozen=True):
    """Whether a service runs or is meant to, whether it is started at boot, and whether it has failed."""

    running: bool
    enabled: bool
    failed: bool = False


class Journal(msgspec.Struct, frozen=True, rename="kebab", kw_only=True):
    """A change from one deployment, by its serial, to another; none for install and for uninstall.

    is_fresh says that the entering deployment was made for this change, and goes when that is undone. missing
    are the host files of the leaving one that somebody had removed. is_undone says that the way is back,
    is_proven that the change is done, and only what it leaves remains to be removed: nothing undoes it now.
    """

    operation: str
    container: str
    leaving: int | None
    entering: int | None
    before: ServiceState
    after: ServiceState
    is_fresh: bool
    missing: tuple[str, ...] = ()
    is_undone: bool = False
    is_proven: bool = False


class _Sealed(msgspec.Struct):
    """The file as it stands on disk; sum is over the bytes of the journal in it."""

    version: int
    sum: str
    journal: msgspec.Raw


def parse_journal(raw: bytes) -> Journal:
    """Return the journal in a file. Raises BrokenError when it is none, or of another version."""
    try:
        sealed = msgspec.json.decode(raw, type=_Sealed)
        if sealed.version != VERSION:
            raise BrokenError(
                f"the journal has version {sealed.version}, this program knows {VERSION}",
                hint="use the version of os-containers that wrote it",
            )
        if sealed.sum != _sum(sealed.journal):
            raise BrokenError("the journal is damaged: its checksum does not match")
        return msgspec.json.decode(sealed.journal, type=Journal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenError(f"this is not a journal: {error}") from error


def dump_journal(journal: Journal) -> bytes:
    """Return the file of a journal."""
    body = msgspec.Raw(msgspec.json.encode(journal))
    return msgspec.json.encode(_Sealed(VERSION, _sum(body), body)) + b"\n"


@dataclass(frozen=True, slots=True)
class Journals:
    """The journals of all containers."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def names(self) -> list[str]:
        """Return the containers with a change under way, or an interrupted one."""
        return sorted(path.stem for path in self._files())

    def read(self, name: str) -> Journal | None:
        """Return the journal of a container, None without one. Raises BrokenError when it cannot be read."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                return parse_journal(file.read(SIZE_LIMIT))
        except FileNotFoundError:
            return None
        except OSError as error:
            if is_exhaustion(error):
                raise
            raise BrokenError(f"{path} cannot be read: {error.strerror}", hint=_way_out(path)) from error
        except BrokenError as error:
            raise BrokenError(f"{path}: {error.message}", hint=error.hint or _way_out(path)) from error

    def write(self, journal: Journal) -> None:
        """Put a journal on disk, durably."""
        files.make_directory(self.directory, mode=0o700)
        files.write_atomic(self.path(journal.container), dump_journal(journal), mode=0o600)

    def remove(self, name: str) -> None:
        """Forget a change that is over, durably; and what a killed writer left."""
        for path in (*files.leftover_temporaries(self.path(name)), self.path(name)):
            path.unlink(missing_ok=True)
        if self.directory.is_dir():
            files.fsync_directory(self.directory)

    def _files(self) -> Iterator[Path]:
        try:
            yield from (one for one in self.directory.iterdir() if re.fullmatch(r"[^.].*\.json", one.name))
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise files.no_directory(self.directory) from error


def _way_out(path: Path) -> str:
    # what the change was up to is lost, and a guess might take away what a person needs
    return f"see whether {path.stem} is as you want it, move {path} away, then: os-containers repair"


def _sum(body: Any) -> str:
    return hashlib.sha256(bytes(body)).hexdigest()
