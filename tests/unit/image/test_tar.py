"""The tar reader: what archivers write is read, what an attacker writes is refused by name."""

import io
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import Directory, File, HardLink, Symlink, build_layer
from tars import END, gnu_long, header, padded, pax, pax_record

from os_containers.errors import ImageError
from os_containers.image.limits import DEFAULT_LIMITS, KiB, Limits, MiB
from os_containers.image.tar import Entry, EntryKind, TarReader


def entries(archive: bytes, limits: Limits = DEFAULT_LIMITS) -> list[Entry]:
    return list(TarReader(io.BytesIO(archive), limits))


def contents(archive: bytes) -> dict[str, bytes]:
    reader = TarReader(io.BytesIO(archive))
    return {entry.path: b"".join(reader.content()) for entry in reader}


def entry(path: str, kind: EntryKind = EntryKind.FILE, **fields: object) -> Entry:
    given = {"mode": 0o644, "uid": 0, "gid": 0, "size": 0, "target": "", "xattrs": (), **fields}
    return Entry(path=path, kind=kind, **given)  # type: ignore[arg-type]


def test_every_kind_of_entry_is_read() -> None:
    """Files, directories, links, owners, modes and attributes arrive as they were written."""
    layer = build_layer(
        {
            "/": Directory(),
            "/etc": Directory(mode=0o1750, uid=1, gid=2),
            "/etc/a": File("text", mode=0o4755, uid=70000, gid=3, xattrs={"user.note": "n"}),
            "/etc/link": Symlink("../a//b"),
            "/etc/same": HardLink("./etc//a"),
            "/gone": None,
        }
    )
    assert entries(layer) == [
        entry("", EntryKind.DIRECTORY, mode=0o755),
        entry("etc", EntryKind.DIRECTORY, mode=0o1750, uid=1, gid=2),
        entry("etc/a", mode=0o4755, uid=70000, gid=3, size=4, xattrs=((b"user.note", b"n"),)),
        entry("etc/link", EntryKind.SYMLINK, mode=0o777, target="../a//b"),
        entry("etc/same", EntryKind.HARDLINK, target="etc/a"),
        entry(".wh.gone"),
    ]


@pytest.mark.parametrize("sizes", [[0, 1, 511, 512, 513], [3 * MiB, 0, MiB - 512, 7]])
@pytest.mark.parametrize("piece", [1, 511, 100_000])
def test_content_is_exact_however_the_stream_is_cut(sizes: list[int], piece: int) -> None:
    """A stream may return less than asked for."""
    files = {f"/f{number}": bytes([number]) * size for number, size in enumerate(sizes)}
    archive = build_layer(files)

    class Slow(io.BytesIO):
        def read(self, n: int | None = -1, /) -> bytes:
            return super().read(min(n or piece, max(piece, len(archive) // 2000)))

    reader = TarReader(Slow(archive))
    found = {f"/{one.path}": b"".join(reader.content()) for one in reader}
    assert found == files


def test_content_that_was_not_read_is_skipped() -> None:
    """The next entry comes whether nothing, a part or all was read."""
    archive = build_layer({"/a": bytes(3 * MiB), "/b": bytes(3 * MiB), "/c": "c"})
    reader = TarReader(io.BytesIO(archive))
    paths = []
    for one in reader:
        paths.append(one.path)
        if one.path == "b":
            next(reader.content())
    assert paths == ["a", "b", "c"]


@pytest.mark.parametrize("archive_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_every_format_are_read(archive_format: int) -> None:
    """Ustar splits names, GNU and pax put them in front."""
    buffer = io.BytesIO()
    long_name = "/".join(["d" * 70, "e" * 70, "f" * 70])
    with tarfile.open(fileobj=buffer, mode="w", format=archive_format) as tar:
        tar.addfile(tarfile.TarInfo(long_name))
    assert [one.path for one in entries(buffer.getvalue())] == [long_name]


@pytest.mark.parametrize("archive_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_link_targets_are_read(archive_format: int) -> None:
    """Targets of up to 4095 bytes, also those of hard links."""
    buffer = io.BytesIO()
    target = "t" * 250 + "/" + "u" * 250
    with tarfile.open(fileobj=buffer, mode="w", format=archive_format) as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo("link")
            link.type, link.linkname = kind, target
            tar.addfile(link)
    assert [one.target for one in entries(buffer.getvalue())] == [target, target]


def test_pax_wins_over_gnu_and_both_over_the_header() -> None:
    """The order in which they stand does not matter."""
    for extended in (
        pax((b"path", b"pax")) + gnu_long(b"gnu"),
        gnu_long(b"gnu") + pax((b"path", b"pax")),
    ):
        assert entries(extended + header(b"plain"))[0].path == "pax"
    assert entries(gnu_long(b"gnu") + header(b"plain"))[0].path == "gnu"


def test_an_extended_header_is_for_one_entry() -> None:
    """Nothing of it remains for the next; a global header is read over, as Docker does."""
    archive = pax((b"path", b"evil"), typeflag=b"g") + pax((b"path", b"x")) + header(b"a") + header(b"b")
    assert [one.path for one in entries(archive)] == ["x", "b"]


def test_numbers_may_be_in_base_256_or_pax() -> None:
    """GNU and pax write what octal digits cannot hold."""
    base256 = b"\x80" + (3_000_000).to_bytes(7, "big")
    assert entries(header(uid=base256) + END) == [entry("a", uid=3_000_000)]
    assert entries(pax((b"uid", b"4294967294")) + header() + END) == [entry("a", uid=4294967294)]
    archive = pax((b"size", b"3")) + header() + padded(b"abc") + END
    assert contents(archive) == {"a": b"abc"}


def test_old_archives_are_read() -> None:
    """Before POSIX a directory was a name with a slash; links state the size of their target."""
    archive = header(b"d/", typeflag=b"\0") + header(b"l", typeflag=b"1", link=b"d/x", size=b"7") + END
    assert [(one.kind, one.size) for one in entries(archive)] == [
        (EntryKind.DIRECTORY, 0),
        (EntryKind.HARDLINK, 0),
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [(b"/abs/x", "abs/x"), (b"./a", "a"), (b"a//b/./c", "a/b/c"), (b"///a/", "a"), (b"a/...", "a/...")],
)
def test_b21_names_are_relative(name: bytes, path: str) -> None:
    """Every name is one beneath the root of the layer."""
    assert entries(header(name))[0].path == path


@pytest.mark.parametrize("name", [b"../x", b"a/../../x", b"a/..", b"..", b"/..", b"a/../b"])
def test_b22_names_do_not_go_up(name: bytes) -> None:
    """No name has a `..`, even one that stays inside."""
    with pytest.raises(ImageError, match="leads out of the layer"):
        entries(header(name))
    with pytest.raises(ImageError, match="leads out of the layer"):
        entries(header(typeflag=b"1", link=name.lstrip(b"/")))


@pytest.mark.parametrize("link", [b"/etc/shadow", b"", b".", b"./"])
def test_b25_hard_links_name_a_file_of_the_layer(link: bytes) -> None:
    """An absolute target, none, and the root are refused."""
    with pytest.raises(ImageError, match=r"absolute|root|not a file name"):
        entries(header(typeflag=b"1", link=link))


@pytest.mark.parametrize("typeflag", [b"3", b"4", b"6"])
def test_b26_devices_and_fifos_are_counted_and_skipped(typeflag: bytes) -> None:
    """They are left out of the image; the user is told how many."""
    reader = TarReader(io.BytesIO(header(b"dev", typeflag=typeflag) + header(b"b") + END))
    assert [one.path for one in reader] == ["b"]
    assert reader.skipped == 1


def test_b28_attributes_of_the_host_are_left_out() -> None:
    """security.capability and user.* are the image's; labels and trusted.* are not. Values are bytes."""
    names = [b"user.z", b"user.a", b"security.capability", b"security.selinux", b"security.ima"]
    names += [b"trusted.overlay.opaque", b"system.posix_acl_access"]
    records = pax(*[(b"SCHILY.xattr." + name, b"\0\n=\xff") for name in names])
    kept = tuple((name, b"\0\n=\xff") for name in (b"security.capability", b"user.a", b"user.z"))
    archive = records + header() + records + header(typeflag=b"2", link=b"x") + END
    assert [one.xattrs for one in entries(archive)] == [kept, ()]


def test_b28_attributes_are_bounded() -> None:
    """64 KiB for a value and 100 values are allowed, more is not."""
    largest = pax((b"SCHILY.xattr.user.a", bytes(64 * KiB)))
    most = [(b"SCHILY.xattr.user.%d" % number, b"v") for number in range(101)]
    assert len(entries(largest + header())[0].xattrs[0][1]) == 64 * KiB
    assert len(entries(pax(*most[:100]) + header())[0].xattrs) == 100
    with pytest.raises(ImageError, match="larger than 65536 bytes"):
        entries(pax((b"SCHILY.xattr.user.a", bytes(64 * KiB + 1))) + header())
    with pytest.raises(ImageError, match="101 extended attributes"):
        entries(pax(*most) + header())


def test_b28_names_of_extended_attributes_are_those_that_linux_takes() -> None:
    """At most 255 bytes, and something behind the dot."""
    longest = "SCHILY.xattr.user." + "é" * 125
    assert len(entries(pax((longest.encode(), b"v")) + header())[0].xattrs[0][0]) == 255
    for name in (f"{longest}a", "SCHILY.xattr.user."):
        with pytest.raises(ImageError, match="extended attribute"):
            entries(pax((name.encode(), b"v")) + header())


@pytest.mark.parametrize(
    "name", ["a\nb", "\t", "\x1b[2J", "$(x)", "'\"", "-rf", "ü", "a b", "\\", "\x7f", "\x9b"]
)
def test_b36_odd_names_are_names(name: str) -> None:
    """What a file system allows, an image may use."""
    assert entries(header(name.encode()))[0].path == name


def test_b37_names_are_utf8() -> None:
    """OSTree keeps UTF-8 only; the message shows the bytes without sending them to a terminal."""
    for archive in (header(b"\xff\x1b"), header(typeflag=b"2", link=b"\xff\x1b")):
        with pytest.raises(ImageError, match="not UTF-8") as caught:
            entries(archive)
        assert r"\xff\x1b" in caught.value.message


def test_b38_names_are_bounded() -> None:
    """255 bytes for a name and 4095 for a path, as Linux has it."""
    path = b"/".join([b"d" * 255] * 15 + [b"e" * 255])
    assert len(path) == 4095
    assert entries(gnu_long(path) + header())[0].path == path.decode()
    assert entries(gnu_long(b"n" * 255) + header())[0].path == "n" * 255
    assert entries(gnu_long(b"t" * 4095, b"K") + header(typeflag=b"2"))[0].target == "t" * 4095
    with pytest.raises(ImageError, match="longer than 4095 bytes"):
        entries(gnu_long(b"a/" * 2047 + b"bc") + header())
    with pytest.raises(ImageError, match="longer than 255 bytes"):
        entries(gnu_long(b"n" * 256) + header())
    with pytest.raises(ImageError, match="has the invalid target"):
        entries(gnu_long(b"t" * 4096, b"K") + header(typeflag=b"2"))


@pytest.mark.parametrize("name", [b"./", b".", b"/"])
def test_b39_the_root_is_a_directory(name: bytes) -> None:
    """Its attributes are those of the rootfs; it cannot be replaced (CVE-2021-29136)."""
    assert entries(header(name, typeflag=b"5"))[0].path == ""
    for typeflag in (b"0", b"1", b"2"):
        with pytest.raises(ImageError, match="the root of the layer is a"):
            entries(header(name, typeflag=typeflag, link=b"x"))


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        pytest.param(header(typeflag=b"x", size=b"%o" % (MiB + 1)), "1048577 bytes", id="pax too large"),
        pytest.param(header(typeflag=b"L", size=b"77777777777"), "bytes", id="long name too large"),
        pytest.param(pax((b"path", b"a\0b")) + header(), "not a file name", id="NUL in path"),
        pytest.param(pax((b"linkpath", b"a\0b")) + header(typeflag=b"2"), "target", id="NUL in link"),
        pytest.param(pax((b"size", b"-1")) + header(), "size", id="negative size"),
        pytest.param(pax((b"size", b"1_0")) + header(), "size", id="underscore"),
        pytest.param(pax((b"size", b"9" * 5000)) + header(), "size", id="thousands of digits"),
        pytest.param(pax((b"size", b"6000")) + header() + bytes(512), "truncated", id="size beyond the data"),
        pytest.param(
            pax((b"size", b"3")) + header(size=b"1750") + b"x" * 1000 + bytes(24),
            "checksum",
            id="size of less than the data",
        ),
        pytest.param(pax((b"GNU.sparse.major", b"1")) + header(), "sparse", id="pax sparse"),
        pytest.param(header(typeflag=b"S"), "sparse", id="GNU sparse"),
        pytest.param(header(typeflag=b"M"), "unknown tar type", id="second volume"),
        pytest.param(header(size=b"\xff" * 12), "negative", id="negative base 256"),
        pytest.param(header(size=b"\x80" + b"\xff" * 11), "size", id="huge base 256"),
        pytest.param(header(size=b"0o17"), "size", id="Python's octal"),
        pytest.param(header(size=b"-17"), "size", id="sign"),
        pytest.param(header(size=b"1_7"), "size", id="underscore in octal"),
        pytest.param(header(size=b"18"), "size", id="no octal digit"),
        pytest.param(header(b""), "not a file name", id="no name"),
        pytest.param(header(typeflag=b"2"), "target", id="no target"),
        pytest.param(pax((b"path", b"a")), "that no entry follows", id="extension without an entry"),
    ],
)
def test_b40_malformed_headers_are_refused(archive: bytes, said: str) -> None:
    """Nothing is guessed, and nothing loops."""
    with pytest.raises(ImageError, match=said):
        entries(archive + END)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"5 a=b\n",
        b"7 a=b\n",
        b"06 =b\n",
        b"0 a=b\n",
        b"-6 a=b\n",
        b"6 a=bc",
        b"9999999999 a=b\n",
        b"6 a\0=\n",
    ],
)
def test_b40_malformed_pax_records_are_refused(data: bytes) -> None:
    """The length, the keyword and the newline of each record must agree."""
    archive = header(typeflag=b"x", size=b"%o" % len(data)) + padded(data) + header() + END
    with pytest.raises(ImageError, match="pax header is malformed"):
        entries(archive)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(header(size=b"\xff" * 12) * 2, id="cve_2025_8194-negative-size"),
        pytest.param(pax((b"size", b"-512")) + header(), id="cve_2025_8194-negative-pax-size"),
        pytest.param(header(typeflag=b"x", size=b"\xff" * 12), id="cve_2025_8194-negative-extension"),
        pytest.param(header(typeflag=b"x", size=b"6") + padded(b"0 a=b\n"), id="cve_2019_20907-no-length"),
        pytest.param(header(typeflag=b"x", size=b"5") + padded(b"1 a=\n"), id="cve_2019_20907-too-short"),
        pytest.param(
            header(typeflag=b"x", size=b"%o" % MiB) + b"1" * MiB, id="cve_2024_6232-digits-without-end"
        ),
        pytest.param(header(typeflag=b"x", size=b"%o" % MiB) + b" 1" * (MiB // 2), id="cve_2024_6232-blanks"),
        pytest.param(
            header(typeflag=b"x", size=b"%o" % MiB) + b"5 a=\n" * (MiB // 6) + bytes(MiB % 6),
            id="cve_2024_6232-many-records",
        ),
        pytest.param(header(size=b"0" * 12, mode=b" " * 7 + b"8"), id="cve_2024_6232-blanks-in-a-number"),
    ],
)
def test_b40_what_made_other_readers_loop_ends_at_once(archive: bytes) -> None:
    """The flaws of Python's tarfile: each is refused in a moment."""
    started = time.process_time()
    with pytest.raises(ImageError):
        entries(archive + END)
    assert time.process_time() - started < 2


def test_b40_an_extended_header_may_have_a_mebibyte() -> None:
    """Its limit is allowed, one byte more is not, whatever the limit is."""
    record = pax_record(b"comment", b"c" * 100)
    archive = header(typeflag=b"x", size=b"%o" % len(record)) + padded(record) + header() + END
    assert len(entries(archive, Limits(extended_header=len(record)))) == 1
    with pytest.raises(ImageError, match=f"has {len(record)} bytes"):
        entries(archive, Limits(extended_header=len(record) - 1))
    largest = pax((b"comment", b"c" * (MiB - len(pax_record(b"comment", b"")) - 6)))
    assert len(entries(largest + header() + END)) == 1


def test_b28_the_bounds_of_attributes_can_be_set() -> None:
    """One less is too little."""
    archive = pax((b"SCHILY.xattr.user.a", b"12345"), (b"SCHILY.xattr.user.b", b"1")) + header() + END
    assert len(entries(archive, Limits(xattrs=2, xattr_value=5))[0].xattrs) == 2
    with pytest.raises(ImageError, match="has 2 extended attributes"):
        entries(archive, Limits(xattrs=1))
    with pytest.raises(ImageError, match="larger than 4 bytes"):
        entries(archive, Limits(xattr_value=4))


@pytest.mark.parametrize("uid", [b"4294967295", b"-1", b"1.5", b"99999999999999999999"])
def test_b42_owners_are_owners(uid: bytes) -> None:
    """2^32-1 means "unchanged" to chown(2), so that it cannot be an owner."""
    for what in (b"uid", b"gid"):
        with pytest.raises(ImageError, match=what.decode()):
            entries(pax((what, uid)) + header())


@pytest.mark.parametrize(
    "uid", [b"\x80" + (2**40).to_bytes(7, "big"), b"\xff" * 8, b"\x80\0\0\0" + b"\xff" * 4]
)
def test_b42_owners_in_base_256_are_owners_too(uid: bytes) -> None:
    """2^40 is not cut off to 0, nor is a negative one taken for a large one."""
    with pytest.raises(ImageError, match="uid"):
        entries(header(uid=uid))


@pytest.mark.parametrize("mtime", [b"-1", b"9223372036854775808", b"nonsense"])
def test_b44_times_are_not_looked_at(mtime: bytes) -> None:
    """OSTree keeps none."""
    assert entries(pax((b"mtime", mtime)) + header()) == [entry("a")]


def test_b45_truncated_archives_are_refused() -> None:
    """In the data and in a header; only the two blocks at the end may be missing."""
    whole = header(size=b"1000") + bytes(512) + header(b"b")
    assert [one.path for one in entries(whole)] == ["a", "b"]
    for length in (512, 600, 1000, 1100, 1535):
        with pytest.raises(ImageError, match="truncated"):
            entries(whole[:length])


@pytest.mark.parametrize("position", [0, 100, 148, 156, 400])
def test_b45_a_wrong_checksum_is_refused(position: int) -> None:
    """A flipped bit in any field is noticed."""
    damaged = bytearray(header())
    damaged[position] ^= 1
    with pytest.raises(ImageError, match="checksum"):
        entries(bytes(damaged) + END)


@pytest.mark.parametrize("archive", [b"", bytes(512), END, bytes(10240), bytes(100)])
def test_b15_an_empty_archive_has_no_entries(archive: bytes) -> None:
    """Zero bytes, one block and two blocks are all empty layers."""
    assert entries(archive) == []


@pytest.mark.parametrize("tail", [b"x", bytes(5 * MiB) + b"x", header(b"b")])
def test_b14_data_behind_the_end_is_refused(tail: bytes) -> None:
    """What another reader might find there is not hidden from us; zeros are padding."""
    assert entries(header() + END + bytes(3 * MiB)) == [entry("a")]
    with pytest.raises(ImageError, match="after the end"):
        entries(header() + END + tail)
    with pytest.raises(ImageError, match="after the end"):
        entries(header() + bytes(512) + tail)


def test_b46_entries_are_counted() -> None:
    """The limit is reached without recursion; skipped devices count as well."""
    archive = header() * 9 + header(typeflag=b"6")
    assert len(entries(archive, Limits(entries=10))) == 9
    with pytest.raises(ImageError, match="more than 9 entries"):
        entries(archive, Limits(entries=9))


def test_b46_deep_paths_are_read() -> None:
    """A depth of 2000 costs no recursion."""
    path = b"/".join([b"d"] * 2000)
    assert entries(gnu_long(path) + header())[0].path == path.decode()


@given(
    st.dictionaries(
        st.text("ab/.ü-", min_size=1, max_size=300).filter(
            lambda name: name.strip("/.") and ".." not in name and not name.endswith("/")
        ),
        st.binary(max_size=2000),
        max_size=8,
    ),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_what_tarfile_writes_is_read(files: dict[str, bytes], archive_format: int) -> None:
    """Names, sizes and content of any archive agree with the standard library's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=archive_format) as tar:
        for name, data in files.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            tar.addfile(one, io.BytesIO(data))
    reader = TarReader(io.BytesIO(buffer.getvalue()))
    try:
        found = [(one.size, b"".join(reader.content())) for one in reader]
    except ImageError as error:
        assert "longer than 255" in error.message  # noqa: PT017 - the one reason that there may be
    else:
        assert found == [(len(data), data) for data in files.values()]


@settings(max_examples=300)
@given(st.data())
def test_b40_a_damaged_archive_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever the bytes are, the only exception is ImageError, and every path stays inside."""
    archive = bytearray(pax((b"path", b"long/name"), (b"uid", b"7")) + header(size=b"3") + padded(b"abc"))
    archive += gnu_long(b"gnu/name") + header(typeflag=b"2", link=b"x") + END
    start = data.draw(st.integers(0, len(archive) - 1))
    archive[start : start + 20] = data.draw(st.binary(max_size=20))
    fixed = b"".join(_with_checksum(bytes(archive[at : at + 512])) for at in range(0, len(archive), 512))
    try:
        found = contents(fixed)
    except ImageError:
        return
    assert not any(path.startswith("/") or ".." in path.split("/") for path in found)


def _with_checksum(block: bytes) -> bytes:
    # Damage behind a right checksum reaches further than damage that the checksum shows.
    if len(block) < 512 or block[257:262] != b"ustar":
        return block
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]
