"""A strict, streaming tar reader: ustar, GNU and pax; every hostile entry is an ImageError.

Names are normalised and stay inside; whiteouts (`.wh.*`) are ordinary entries here, merging reads them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from os_containers.errors import ImageError, LimitError
from os_containers.image import tarheader
from os_containers.image.compression import ByteStream
from os_containers.image.limits import DEFAULT_LIMITS, Limits, MiB
from os_containers.image.tarheader import BLOCK, Header

_CHUNK = MiB
_ZERO_BLOCK = bytes(BLOCK)
_XATTR = "SCHILY.xattr."
_MAX_XATTR_NAME = 255  # as Linux has it


class EntryKind(Enum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hard link"


_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"5": EntryKind.DIRECTORY,
}
_SKIPPED = {b"3": "character device", b"4": "block device", b"6": "fifo"}
_GNU_LONG = {b"L": "path", b"K": "linkpath"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a layer.

    path is relative and normalised, "" is the root. target is the text of a symlink as it stands, or the
    normalised path that a hard link names. xattrs are sorted by name; other than security.capability and
    user.* are left out.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    target: str
    xattrs: tuple[tuple[bytes, bytes], ...]


class TarReader:
    """The entries of a tar stream, in order; skipped counts the devices and fifos left out."""

    def __init__(self, stream: ByteStream, limits: Limits = DEFAULT_LIMITS) -> None:
        self.skipped = 0
        self._stream = stream
        self._limits = limits
        self._buffer = b""
        self._position = 0
        self._unread = 0  # of the content of the current entry
        self._padding = 0  # behind that content

    def __iter__(self) -> Iterator[Entry]:
        """Yield each entry; going on skips what was not read of its content."""
        extended: dict[str, bytes] = {}
        entries = 0
        while header := self._next_header():
            if header.typeflag == b"g":
                self._extension(header)  # as Docker does: global headers are read over
            elif header.typeflag == b"x":
                extended |= tarheader.parse_pax(self._extension(header))
            elif header.typeflag in _GNU_LONG:
                long_name = self._extension(header).partition(b"\0")[0]
                extended.setdefault(_GNU_LONG[header.typeflag], long_name)
            else:
                entries += 1
                if entries > self._limits.entries:
                    most = self._limits.entries
                    raise LimitError(f"the layer has more than {most} entries", limit="entries")
                if entry := self._entry(header, extended):
                    yield entry
                extended = {}
        if extended:
            raise ImageError("the layer ends with an extended header that no entry follows")

    def content(self) -> Iterator[memoryview]:
        """Yield the content of the current file, in pieces that are valid as long as one likes."""
        while self._unread:
            yield self._take_some()

    def _next_header(self) -> Header | None:
        self._skip_content()
        block = self._block()
        if not block:
            return None
        if block == _ZERO_BLOCK:
            self._check_end()
            return None
        return tarheader.parse(block)

    def _block(self) -> bytes:
        start, end = self._position, self._position + BLOCK
        if end > len(self._buffer):
            self._fill(BLOCK)
            start, end = 0, BLOCK
        self._position = min(end, len(self._buffer))
        block = self._buffer[start:end]
        if 0 < len(block) < BLOCK and block.strip(b"\0"):
            raise ImageError("the layer is truncated inside a tar header")
        return block if len(block) == BLOCK else b""

    def _fill(self, wanted: int) -> None:
        rest = self._buffer[self._position :]
        pieces = [rest] if rest else []  # alone, the next piece is not copied
        missing = wanted - len(rest)
        while missing > 0 and (piece := self._stream.read(_CHUNK)):
            pieces.append(piece)
            missing -= len(piece)
        self._buffer = b"".join(pieces)
        self._position = 0

    def _check_end(self) -> None:
        rest = self._buffer[self._position :]
        while rest:
            if rest.count(0) != len(rest):
                raise ImageError("the layer has data after the end of the tar archive")
            rest = self._stream.read(_CHUNK)
        self._buffer, self._position = b"", 0

    def _take_some(self) -> memoryview:
        if self._position == len(self._buffer):
            self._fill(1)
        # no copy: what is in the buffer never changes
        piece = memoryview(self._buffer)[self._position : self._position + self._unread]
        if not piece:
            raise ImageError(f"the layer is truncated: {self._unread} bytes of a file are missing")
        self._position += len(piece)
        self._unread -= len(piece)
        return piece

    def _skip_content(self) -> None:
        while self._unread:
            self._take_some()
        # Padding that is missing at the very end harms nothing, and some writers leave it out.
        if self._position + self._padding > len(self._buffer):
            self._fill(self._padding)
        self._position = min(self._position + self._padding, len(self._buffer))
        self._padding = 0

    def _expect_content(self, size: int) -> None:
        self._unread = size
        self._padding = -size % BLOCK

    def _extension(self, header: Header) -> bytes:
        size = tarheader.number(header.size, "size")
        if size > self._limits.extended_header:
            raise LimitError(f"an extended tar header has {size} bytes", limit="extended-header")
        self._expect_content(size)
        return b"".join(self.content())

    def _entry(self, header: Header, extended: Mapping[str, bytes]) -> Entry | None:
        size = tarheader.size(header, extended)
        name = extended.get("path") or header.name
        path = normalise(name, self._limits)
        kind = self._kind(header, name)
        if kind is EntryKind.FILE:
            self._expect_content(size)
        if kind is None:
            self.skipped += 1
            return None
        if not path and kind is not EntryKind.DIRECTORY:
            raise ImageError(f"the root of the layer is a {kind.value}")
        return Entry(
            path=path,
            kind=kind,
            mode=tarheader.number(header.mode, "mode") & 0o7777,
            uid=tarheader.owner(header.uid, extended, "uid"),
            gid=tarheader.owner(header.gid, extended, "gid"),
            size=size if kind is EntryKind.FILE else 0,
            target=self._target(kind, extended.get("linkpath") or header.linkname, path),
            xattrs=self._xattrs(kind, extended) if extended else (),
        )

    def _kind(self, header: Header, name: bytes) -> EntryKind | None:
        if header.typeflag == b"\0" and name.endswith(b"/"):
            return EntryKind.DIRECTORY  # as archivers before POSIX wrote it
        if kind := _KINDS.get(header.typeflag):
            return kind
        if header.typeflag in _SKIPPED:
            return None
        if header.typeflag == b"S":
            raise ImageError(f"{name!a} is a sparse file, which layers must not contain")
        raise ImageError(f"{name!a} has the unknown tar type {header.typeflag!a}")

    def _target(self, kind: EntryKind, link: bytes, path: str) -> str:
        if kind is EntryKind.SYMLINK:
            return _symlink_text(link, path, self._limits)
        if kind is not EntryKind.HARDLINK:
            return ""
        if link.startswith(b"/"):
            raise ImageError(f"hard link {path!a} names the absolute path {link!a}")
        target = normalise(link, self._limits)
        if not target:
            raise ImageError(f"hard link {path!a} names the root")
        return target

    def _xattrs(self, kind: EntryKind, extended: Mapping[str, bytes]) -> tuple[tuple[bytes, bytes], ...]:
        if kind not in {EntryKind.FILE, EntryKind.DIRECTORY}:
            return ()
        xattrs = sorted(
            (name.removeprefix(_XATTR).encode(), value)
            for name, value in extended.items()
            if name == f"{_XATTR}security.capability" or name.startswith(f"{_XATTR}user.")
        )
        if len(xattrs) > self._limits.xattrs:
            raise LimitError(f"an entry has {len(xattrs)} extended attributes", limit="xattrs")
        for name, _ in xattrs:
            if not len(b"user.") < len(name) <= _MAX_XATTR_NAME:
                raise ImageError(f"an extended attribute has the invalid name {name!a}")
        if any(len(value) > self._limits.xattr_value for _, value in xattrs):
            most = self._limits.xattr_value
            raise LimitError(f"an extended attribute is larger than {most} bytes", limit="xattr-value")
        return tuple(xattrs)


def normalise(name: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return a name as a relative path without ".", "" for the root; raises ImageError when it leaves."""
    text = _decoded(name)
    if not text or "\0" in text:
        raise ImageError(f"not a file name: {name[:100]!a}")
    parts = [part for part in text.split("/") if part and part != "."]
    if ".." in parts:
        raise ImageError(f"{name[:300]!a} leads out of the layer")
    path = "/".join(parts)
    if len(name) > limits.component or len(name) > limits.path:
        _check_lengths(path.encode(), limits)
    return path


def _check_lengths(path: bytes, limits: Limits) -> None:
    if len(path) > limits.path:
        fact = f"a path in the layer is longer than {limits.path} bytes: {path[:100]!a}..."
        raise LimitError(fact, limit="path")
    if any(len(part) > limits.component for part in path.split(b"/")):
        fact = f"a file name is longer than {limits.component} bytes: {path[:300]!a}"
        raise LimitError(fact, limit="component")


def _symlink_text(link: bytes, path: str, limits: Limits) -> str:
    text = _decoded(link)
    if not text or "\0" in text or len(link) > limits.path:
        raise ImageError(f"symlink {path!a} has the invalid target {link[:100]!a}")
    return text


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise ImageError(f"the name {name[:300]!a} is not UTF-8") from error
