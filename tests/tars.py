"""Tar archives made of their parts, so that a test can write what no archiver would."""

END = bytes(1024)


def header(
    name: bytes = b"a",
    *,
    typeflag: bytes = b"0",
    size: bytes = b"0",
    mode: bytes = b"0644",
    uid: bytes = b"0",
    link: bytes = b"",
    prefix: bytes = b"",
) -> bytes:
    """Return a header with a right checksum, whatever it holds."""
    fields = [(name, 100), (mode, 8), (uid, 8), (b"0", 8), (size, 12), (b"0", 12), (b" " * 8, 8)]
    fields += [(typeflag, 1), (link, 100), (b"ustar\x0000", 8), (b"", 80), (prefix, 155), (b"", 12)]
    block = b"".join(value.ljust(width, b"\0") for value, width in fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: tuple[bytes, bytes], typeflag: bytes = b"x") -> bytes:
    """Return a pax header with records."""
    data = b"".join(pax_record(key, value) for key, value in records)
    return header(b"pax", typeflag=typeflag, size=b"%o" % len(data)) + padded(data)


def pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def gnu_long(name: bytes, typeflag: bytes = b"L") -> bytes:
    data = name + b"\0"
    return header(b"././@LongLink", typeflag=typeflag, size=b"%o" % len(data)) + padded(data)
