"""The bytes of OSTree's metadata objects and of the header that a file's checksum covers; pure.

    dirtree   (a(say) a(sayay))   files: name, checksum; directories: name, checksum of dirtree and of dirmeta
    dirmeta   (uuu a(ayay))       uid, gid, mode, xattrs
    header    (uuuu s a(ayay))    uid, gid, mode, device, target of a symlink, xattrs
    commit    (a{sv} ay a(say) s s t ay ay)   metadata, parent, related, subject, body, time, dirtree, dirmeta

Numbers are big-endian. A GVariant container ends with the end offsets of its members of variable size, in the
smallest width that can express the container's own length; a tuple lists them backwards, without the last.
A variant is its value, a NUL and its type; it begins at a multiple of eight, and so does a pair with one.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Xattrs = tuple[tuple[bytes, bytes], ...]

_CHECKSUM_BYTES = 32
_NO_NAMES = frozenset({"", ".", ".."})
_ALIGNMENT = 8
# Of a commit's members these have no fixed size, and all but the last of them an offset.
_COMMIT_OFFSETS = ("metadata", "parent", "related", "subject", "body", "dirtree")
_OWNER_AND_MODE = struct.calcsize(">III")


@dataclass(frozen=True, slots=True)
class Dirmeta:
    """Owner, type and permission bits, and xattrs of a directory."""

    uid: int
    gid: int
    mode: int
    xattrs: Xattrs


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says: those metadata that are texts, its topmost directory, and the commit before it."""

    metadata: Mapping[str, str]
    dirtree: str
    dirmeta: str
    # of ours none has one
    parent: str = ""


def encode_dirmeta(uid: int, gid: int, mode: int, xattrs: Xattrs) -> bytes:
    """Return the dirmeta of a directory; with a file's mode it is what bare-user keeps as user.ostreemeta."""
    return struct.pack(">III", uid, gid, mode) + _xattrs(xattrs)


def decode_dirmeta(data: bytes) -> Dirmeta:
    """Return what encode_dirmeta was given; raises ValueError for anything else."""
    if len(data) < _OWNER_AND_MODE:
        raise ValueError("too short")
    uid, gid, mode = struct.unpack(">III", data[:_OWNER_AND_MODE])
    return Dirmeta(uid, gid, mode, tuple(map(_decoded_xattr, _elements(data[_OWNER_AND_MODE:]))))


def encode_header(uid: int, gid: int, mode: int, target: str, xattrs: Xattrs) -> bytes:
    """Return what stands before a file's content when its checksum is computed."""
    return header_of(encode_dirmeta(uid, gid, mode, xattrs), target)


def header_of(meta: bytes, target: str) -> bytes:
    """Return the same from a dirmeta, as bare-user keeps it for a file."""
    body = meta[:_OWNER_AND_MODE] + struct.pack(">I", 0) + _text(target)
    header = _framed(body + meta[_OWNER_AND_MODE:], [len(body)])
    # The header's length comes first, and the header itself begins at a multiple of eight.
    return struct.pack(">I4x", len(header)) + header


def encode_dirtree(files: Mapping[str, str], directories: Mapping[str, tuple[str, str]]) -> bytes:
    """Return the dirtree of checksums by name; a directory has those of its dirtree and its dirmeta."""
    # Python orders text by code point, which is the order of its UTF-8 bytes.
    file_entries = _array(_file_entry(name, files[name]) for name in sorted(files))
    directory_entries = _array(_directory_entry(name, *directories[name]) for name in sorted(directories))
    return _framed(file_entries + directory_entries, [len(file_entries)])


def decode_dirtree(data: bytes) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return files and directories as encode_dirtree takes them; raises ValueError for anything else."""
    files_end, members_end = _last_offset(data)
    files = dict(_decoded_file(entry) for entry in _elements(data[:files_end]))
    directories = dict(_decoded_directory(entry) for entry in _elements(data[files_end:members_end]))
    return files, directories


def decode_commit(data: bytes) -> Commit:
    """Return what a commit says; raises ValueError for what is none."""
    width = _width(data)
    end = len(data) - len(_COMMIT_OFFSETS) * width
    if end < 0:
        raise ValueError("too short")
    offsets = (data[at : at + width] for at in range(len(data) - width, end - 1, -width))
    ends = dict(zip(_COMMIT_OFFSETS, (int.from_bytes(one, "little") for one in offsets), strict=True))
    # between body and dirtree is the time
    begin = _aligned(ends["body"]) + _ALIGNMENT
    if not begin <= ends["dirtree"] <= end:
        raise ValueError("offset out of order")
    pairs = _elements(data[: ends["metadata"]], alignment=_ALIGNMENT)
    texts = ((key, value) for key, value in map(_decoded_pair, pairs) if value is not None)
    parent = data[ends["metadata"] : ends["parent"]]
    return Commit(
        dict(texts),
        _hex(data[begin : ends["dirtree"]]),
        _hex(data[ends["dirtree"] : end]),
        _hex(parent) if parent else "",
    )


def _decoded_xattr(entry: bytes) -> tuple[bytes, bytes]:
    name_end, end = _last_offset(entry)
    return entry[:name_end].removesuffix(b"\0"), entry[name_end:end]


def _decoded_pair(entry: bytes) -> tuple[str, str | None]:
    """Return a key and its value, None when that is no text."""
    key_end, end = _last_offset(entry)
    value, _, kind = entry[_aligned(key_end) : end].rpartition(b"\0")
    key = entry[:key_end].removesuffix(b"\0").decode()
    return key, value.removesuffix(b"\0").decode() if kind == b"s" else None


def _aligned(offset: int) -> int:
    return offset + -offset % _ALIGNMENT


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _xattrs(xattrs: Xattrs) -> bytes:
    return _array(_framed(name + b"\0" + value, [len(name) + 1]) for name, value in sorted(xattrs))


def _file_entry(name: str, checksum: str) -> bytes:
    text = _text(name)
    return _framed(text + bytes.fromhex(checksum), [len(text)])


def _directory_entry(name: str, tree: str, meta: str) -> bytes:
    text = _text(name)
    return _framed(text + bytes.fromhex(tree) + bytes.fromhex(meta), [len(text) + _CHECKSUM_BYTES, len(text)])


def _array(elements: Iterable[bytes]) -> bytes:
    kept = list(elements)
    ends: list[int] = []
    for element in kept:
        ends.append(len(element) + (ends[-1] if ends else 0))
    return _framed(b"".join(kept), ends)


def _framed(body: bytes, offsets: Sequence[int]) -> bytes:
    for width in (1, 2, 4, 8):
        if len(body) + len(offsets) * width < 1 << 8 * width:
            return body + b"".join(offset.to_bytes(width, "little") for offset in offsets)
    raise AssertionError  # nothing in memory is longer than 2**64 bytes


def _width(data: bytes) -> int:
    # twice for each file of a tree: no loop
    size = len(data)
    if size < 1 << 8:
        return 1
    if size < 1 << 16:
        return 2
    return 4 if size < 1 << 32 else 8


def _last_offset(data: bytes) -> tuple[int, int]:
    if not data:
        raise ValueError("empty container")
    start = len(data) - _width(data)
    offset = int.from_bytes(data[start:], "little")
    if offset > start:
        raise ValueError("offset beyond the end")
    return offset, start


def _elements(array: bytes, *, alignment: int = 1) -> Iterator[bytes]:
    if not array:
        return
    ends_start, _ = _last_offset(array)
    width = _width(array)
    begin = 0
    for position in range(ends_start, len(array), width):
        end = int.from_bytes(array[position : position + width], "little")
        if not begin <= end <= ends_start:
            raise ValueError("offset out of order")
        yield array[begin:end]
        begin = end + -end % alignment


def _decoded_file(entry: bytes) -> tuple[str, str]:
    name, checksum = _split_name(entry, offsets=1)
    return name, _hex(checksum)


def _decoded_directory(entry: bytes) -> tuple[str, tuple[str, str]]:
    name, checksums = _split_name(entry, offsets=2)
    return name, (_hex(checksums[:_CHECKSUM_BYTES]), _hex(checksums[_CHECKSUM_BYTES:]))


def _split_name(entry: bytes, *, offsets: int) -> tuple[str, bytes]:
    # once for each file of a tree: this saves calls
    width = _width(entry)
    end = int.from_bytes(entry[-width:], "little")
    name = entry[:end].removesuffix(b"\0").decode()
    if name in _NO_NAMES or "/" in name or "\0" in name:
        raise ValueError("not a file name")
    return name, entry[end : -offsets * width]


def _hex(checksum: bytes) -> str:
    if len(checksum) != _CHECKSUM_BYTES:
        raise ValueError("not a checksum")
    return checksum.hex()
