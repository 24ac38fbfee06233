"""The 512 bytes of a tar header and the records of a pax header; pure."""

import re
import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from os_containers.errors import ImageError

BLOCK = 512

# name mode uid gid size mtime checksum typeflag linkname magic version uname gname major minor prefix
_FIELDS = struct.Struct("100s8s8s8s12s12x8s1s100s6s2x32x32x8x8x155s12x")
_CHECKSUM = slice(148, 156)
_SPACES = b" " * 8
_USTAR = b"ustar\0"
_PAX_RECORD = re.compile(rb"([0-9]{1,8}) ([^=\0]+)=")
_BASE256 = 0x80
_BASE256_NEGATIVE = 0xFF
_MAX_SIZE = 2**63 - 1
_MAX_OWNER = 2**32 - 2  # 2**32 - 1 means "unchanged" to chown(2)


class Header(NamedTuple):
    """The fields that matter to us, as bytes; names end before their first NUL."""

    name: bytes
    mode: bytes
    uid: bytes
    gid: bytes
    size: bytes
    typeflag: bytes
    linkname: bytes


def parse(block: bytes) -> Header:
    """Return the fields of a header; raises ImageError when its checksum is wrong."""
    name, mode, uid, gid, size, checksum, typeflag, linkname, magic, prefix = _FIELDS.unpack(block)
    _check_checksum(block, checksum)
    name = name.partition(b"\0")[0]
    if magic == _USTAR and prefix[:1] != b"\0":
        name = prefix.partition(b"\0")[0] + b"/" + name
    return Header(name, mode, uid, gid, size, typeflag, linkname.partition(b"\0")[0])


def number(written: bytes, what: str) -> int:
    """Return a number written in octal digits or in base 256, 0 for an empty field."""
    if written[0] == _BASE256:
        return int.from_bytes(written[1:], "big")
    if written[0] == _BASE256_NEGATIVE:
        raise ImageError(f"a tar header has a negative {what}")
    digits = written.strip(b" \0")
    try:
        # int() alone would also take signs, underscores and 0o.
        return int(digits, 8) if digits.isdigit() else _empty(digits)
    except ValueError as error:
        shown = ascii(written.rstrip(b"\0").decode("latin-1"))
        raise ImageError(f"a tar header has the invalid {what} {shown}") from error


def size(header: Header, extended: Mapping[str, bytes]) -> int:
    """Return how many bytes follow the header of a file."""
    pax = extended.get("size")
    found = _decimal(pax, "size") if pax else number(header.size, "size")
    if found > _MAX_SIZE:
        raise ImageError(f"a tar header has the invalid size {found}")
    return found


def owner(written: bytes, extended: Mapping[str, bytes], what: str) -> int:
    """Return the uid or gid."""
    pax = extended.get(what)
    found = _decimal(pax, what) if pax else number(written, what)
    if found > _MAX_OWNER:
        raise ImageError(f"a tar header has the invalid {what} {found}")
    return found


def parse_pax(data: bytes) -> dict[str, bytes]:
    """Return the records of a pax header; those without a value mean nothing and are left out."""
    records = {}
    position = 0
    while position < len(data):
        match = _PAX_RECORD.match(data, position)
        end = position + int(match[1]) if match else 0
        if not match or end <= match.end() or data[end - 1 : end] != b"\n":
            raise ImageError("a pax header is malformed")
        records[_key(match[2])] = data[match.end() : end - 1]
        position = end
    return {key: value for key, value in records.items() if value}


def _check_checksum(block: bytes, checksum: bytes) -> None:
    expected = number(checksum, "checksum")
    found = _sum(block) - sum(checksum) + sum(_SPACES)
    if found != expected and _signed_sum(block) != expected:
        raise ImageError("a tar header has a wrong checksum")


def _sum(block: bytes) -> int:
    # The lower half of an Adler-32 is the sum of up to 257 bytes, four times as fast as sum().
    half = BLOCK // 2
    return (zlib.adler32(block[:half], 0) & 0xFFFF) + (zlib.adler32(block[half:], 0) & 0xFFFF)


def _signed_sum(block: bytes) -> int:
    # Some old archivers added the bytes up as signed characters.
    unsigned = block[: _CHECKSUM.start] + _SPACES + block[_CHECKSUM.stop :]
    return sum(struct.unpack("512b", unsigned))


def _key(written: bytes) -> str:
    try:
        key = written.decode()
    except UnicodeDecodeError as error:
        raise ImageError(f"a pax header has the invalid keyword {written[:100]!a}") from error
    if key.startswith("GNU.sparse."):
        raise ImageError("the layer has a sparse file, which layers must not contain")
    return key


def _decimal(written: bytes, what: str) -> int:
    if not written.isdigit() or len(written) > len(str(_MAX_SIZE)):
        raise ImageError(f"a pax header has the invalid {what} {written[:100]!a}")
    return int(written)


def _empty(digits: bytes) -> int:
    if digits:
        raise ValueError(digits)
    return 0
