import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from os_containers.ostree.gi import GLib
from os_containers.ostree.variants import (
    Commit,
    Dirmeta,
    Xattrs,
    decode_commit,
    decode_dirmeta,
    decode_dirtree,
    encode_dirmeta,
    encode_dirtree,
    encode_header,
)

names = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name not in {".", ".."}
)
checksums = st.binary(min_size=32, max_size=32).map(bytes.hex)
numbers = st.integers(0, 2**32 - 1)
xattrs = st.dictionaries(
    st.binary(min_size=1).filter(lambda name: b"\0" not in name), st.binary(max_size=300), max_size=4
).map(lambda found: tuple(sorted(found.items())))
files = st.dictionaries(names, checksums)
directories = st.dictionaries(names, st.tuples(checksums, checksums))


def glib_bytes(kind: str, value: object) -> bytes:
    return GLib.Variant(kind, value).get_data_as_bytes().get_data() or b""


def swapped(number: int) -> int:
    return int(struct.unpack("<I", struct.pack(">I", number))[0])


def as_variant(found: Xattrs) -> list[tuple[list[int], list[int]]]:
    return [(list(name + b"\0"), list(value)) for name, value in found]


@given(numbers, numbers, numbers, xattrs)
def test_a_dirmeta_has_the_bytes_that_glib_writes(uid: int, gid: int, mode: int, found: Xattrs) -> None:
    expected = glib_bytes("(uuua(ayay))", (swapped(uid), swapped(gid), swapped(mode), as_variant(found)))
    assert encode_dirmeta(uid, gid, mode, found) == expected
    assert decode_dirmeta(expected) == Dirmeta(uid, gid, mode, found)


@given(
    numbers,
    numbers,
    numbers,
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    xattrs,
)
def test_a_header_has_the_bytes_that_glib_writes(
    uid: int, gid: int, mode: int, target: str, found: Xattrs
) -> None:
    expected = glib_bytes(
        "(uuuusa(ayay))", (swapped(uid), swapped(gid), swapped(mode), 0, target, as_variant(found))
    )
    assert encode_header(uid, gid, mode, target, found) == struct.pack(">I4x", len(expected)) + expected


@given(files, directories)
def test_a_dirtree_has_the_bytes_that_glib_writes(
    found: dict[str, str], inner: dict[str, tuple[str, str]]
) -> None:
    file_entries = [(name, list(bytes.fromhex(found[name]))) for name in sorted(found, key=str.encode)]
    directory_entries = [
        (name, *(list(bytes.fromhex(one)) for one in inner[name])) for name in sorted(inner, key=str.encode)
    ]
    expected = glib_bytes("(a(say)a(sayay))", (file_entries, directory_entries))
    assert encode_dirtree(found, inner) == expected


@given(files, directories)
def test_a_dirtree_comes_back(found: dict[str, str], inner: dict[str, tuple[str, str]]) -> None:
    assert decode_dirtree(encode_dirtree(found, inner)) == (found, inner)


def test_a_large_dirtree_comes_back() -> None:
    checksum = hashlib.sha256().hexdigest()
    found = {f"file-{number}": checksum for number in range(3000)}
    assert decode_dirtree(encode_dirtree(found, {"d": (checksum, checksum)})) == (
        found,
        {"d": (checksum, checksum)},
    )


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(
    metadata=st.dictionaries(texts, texts),
    before=st.just("") | checksums,
    body=texts,
    time=st.integers(0, 2**64 - 1),
    dirtree=checksums,
    dirmeta=checksums,
)
def test_a_commit_that_glib_wrote_comes_back(
    *, metadata: dict[str, str], before: str, body: str, time: int, dirtree: str, dirmeta: str
) -> None:
    """Members that are no texts are left out of its metadata."""
    others = {"version": GLib.Variant("u", 1), "raw": GLib.Variant("ay", [1, 2, 3])}
    values = {key: GLib.Variant("s", value) for key, value in metadata.items()}
    parent, related = list(bytes.fromhex(before)), [("name", list(b"r" * 32))]
    trees = [list(bytes.fromhex(one)) for one in (dirtree, dirmeta)]
    data = glib_bytes(
        "(a{sv}aya(say)sstayay)", (others | values, parent, related, "subject", body, time, *trees)
    )
    assert decode_commit(data) == Commit(metadata, dirtree, dirmeta, before)


@given(st.binary(max_size=200))
def test_other_bytes_are_no_commit(data: bytes) -> None:
    try:
        found = decode_commit(data)
    except ValueError:
        return
    assert len(found.dirtree) == len(found.dirmeta) == 64


@given(st.binary(max_size=200))
def test_b93_any_other_bytes_are_refused_as_malformed(data: bytes) -> None:
    try:
        found, inner = decode_dirtree(data)
    except ValueError:
        return
    assert all("/" not in name for name in (*found, *inner))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_dirtree_cannot_name_another_directory(name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        decode_dirtree(encode_dirtree({name: "0" * 64}, {}))
