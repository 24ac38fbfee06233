"""Layers that try to reach the host.

Beside the rootfs lies a victim, a directory as a host has them. Whatever an image is made of, it is refused,
or its files are in the rootfs; the victim is the same in bytes, mode, owner and inode, and nothing of it can
be read through the rootfs. The approach is that of containers/storage (pkg/archive/utils_test.go).
"""

import gzip
import os
import resource
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from images import raw_image
from imports import import_raw
from tars import END, gnu_long, header, padded, pax

from os_containers import trees
from os_containers.errors import ConflictError, ImageError, SystemFaultError
from os_containers.events import Event, Warned
from os_containers.image.limits import KiB, Limits, MiB
from os_containers.ostree.checkout import checkout
from os_containers.ostree.pruning import prune_repo
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode

SECRET = b"the host's own"


@dataclass(frozen=True)
class Victim:
    """A directory of the host, beside the one that images are checked out to."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> "Victim":
        (path / "directory").mkdir(parents=True)
        (path / "hello").write_bytes(SECRET)
        (path / "hello").chmod(0o640)
        (path / "directory/file").write_bytes(SECRET)
        return cls(path)

    def state(self) -> dict[str, tuple[object, ...]]:
        """Return everything that a layer could change."""
        found = [self.path, *self.path.rglob("*")]
        return {str(one): (*_status(one), one.read_bytes() if one.is_file() else b"") for one in found}


def _status(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_ino,
        status.st_nlink,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def file(name: str | bytes, content: bytes = b"evil", **fields: bytes) -> bytes:
    return _named(name, content=content, **fields)


def symlink(name: str | bytes, target: str | bytes) -> bytes:
    return _named(name, typeflag=b"2", link=_bytes(target))


def hard_link(name: str | bytes, target: str | bytes) -> bytes:
    return _named(name, typeflag=b"1", link=_bytes(target))


def directory(name: str | bytes, mode: bytes = b"0755") -> bytes:
    return _named(name, typeflag=b"5", mode=mode)


def _named(name: str | bytes, *, content: bytes = b"", link: bytes = b"", **fields: bytes) -> bytes:
    """Return an entry of any length of names."""
    long = gnu_long(_bytes(name)) if len(name) > 99 else b""
    if len(link) > 99:
        long += gnu_long(link, b"K")
    size = b"%o" % len(content)
    return long + header(_bytes(name)[:99], size=size, link=link[:99], **fields) + padded(content)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def files_of(repo: Repo, image: StoredImage, rootfs: Path) -> dict[str, str]:
    """Check an image out and return its files by path; a symlink shows its target."""
    checkout(repo, image.commit, rootfs)
    found: dict[str, str] = {}
    for parent, _, names in os.walk(rootfs):
        for one in (Path(parent, name) for name in (*os.listdir(parent), *names)):  # noqa: PTH208
            status = one.lstat()
            if stat.S_ISLNK(status.st_mode):
                found[str(one.relative_to(rootfs))] = f"-> {one.readlink()}"
            elif stat.S_ISREG(status.st_mode):
                found[str(one.relative_to(rootfs))] = one.read_text()
            else:
                assert stat.S_ISDIR(status.st_mode)
    return found


Make = Callable[[str], list[bytes]]

UP = "../victim"
LONG = "d" * 247
# Each resolves to a path that is longer than realpath(3) follows.
CHAIN = directory("/".join([LONG] * 15)) + symlink("a", "/".join([LONG] * 15))


def _whiteout_beside(name: str, order: str) -> Make:
    """Return a layer that hides a name and brings it, in either order, above one that has it."""
    hides, brings = file(f".wh.{name}", b""), file(name, b"2")
    upper = hides + brings if order == "first" else brings + hides
    return lambda _: [file(name, b"1"), upper]


def _kept(name: str, _: str) -> dict[str, str]:
    return {name: "2"}


REFUSED: dict[str, tuple[Make, str]] = {
    "b22-cve_2007_4559-up": (lambda _: [file(f"{UP}/evil")], "leads out of the layer"),
    "b22-cve_2007_4559-down-and-up": (lambda _: [file(f"a/../../{UP}/evil")], "leads out of the layer"),
    "b22-cve_2007_4559-in-pax": (lambda _: [pax((b"path", b"../evil")) + header()], "leads out of the layer"),
    "b23-cve_2018_15664-symlink-then-file": (lambda v: [symlink("x", v) + file("x/evil")], "lies beneath"),
    "b23-cve_2018_15664-file-then-symlink": (lambda v: [file("x/evil") + symlink("x", v)], "with content"),
    "b23-cve_2019_18466-symlink-to-root": (
        lambda v: [symlink("x", "/") + file(f"x{v}/evil")],
        "lies beneath",
    ),
    "b23-cve_2019_10152-symlink-up": (lambda _: [symlink("x", UP) + file("x/hello")], "lies beneath"),
    "b23-cve_2024_12718-directory-through-a-symlink": (
        lambda v: [symlink("x", v) + directory("x/directory", b"0777")],
        "lies beneath",
    ),
    "b23-cve_2025_4517-cve_2025_4330-chain-of-long-names": (
        lambda _: [CHAIN + symlink("escape", f"a/{'../' * 16}{UP}") + file("escape/evil")],
        "lies beneath",
    ),
    "b23-cve_2025_4138-hard-link-through-the-chain": (
        lambda _: [CHAIN + symlink("escape", f"a/{'../' * 16}{UP}") + hard_link("x", "escape/hello")],
        "not a file of its layer",
    ),
    "b14-data-behind-the-end": (lambda _: [file("a") + END + file("evil")], "after the end"),
    "b25-absolute": (lambda v: [hard_link("h", f"{v}/hello")], "absolute"),
    "b25-cve_2014_9356-up": (lambda _: [hard_link("h", f"{UP}/hello")], "leads out of the layer"),
    "b25-cve_2026_50163-working-directory": (lambda _: [hard_link("h", "hello")], "not a file of its layer"),
    "b25-through-a-symlink": (
        lambda v: [symlink("x", v) + hard_link("h", "x/hello")],
        "not a file of its layer",
    ),
    "b25-directory": (lambda _: [directory("d") + hard_link("h", "d")], "not a file of its layer"),
    "b25-lower-layer": (lambda _: [file("a"), hard_link("h", "a")], "not a file of its layer"),
    "b25-itself": (lambda _: [hard_link("h", "h")], "not a file of its layer"),
    "b25-missing": (lambda _: [file("a") + hard_link("h", "b")], "not a file of its layer"),
    "b25-circle": (lambda _: [hard_link("a", "b") + hard_link("b", "a")], "not a file of its layer"),
    "b28-large-value": (
        lambda _: [pax((b"SCHILY.xattr.user.a", bytes(64 * KiB + 1))) + file("a")],
        "larger than 65536 bytes",
    ),
    "b31-parent": (lambda _: [file("d/.wh...")], "whiteout"),
    "b31-itself": (lambda _: [file("d/.wh..")], "whiteout"),
    "b31-nothing": (lambda _: [file("d/.wh.")], "whiteout"),
    "b31-beneath": (lambda _: [file(".wh./x")], "whiteout"),
    "b32-directory": (lambda _: [directory(".wh.d")], "not a regular file"),
    "b32-symlink": (lambda v: [symlink(".wh.d", v)], "not a regular file"),
    "b37-not-utf8": (lambda _: [file(b"\xff\x1b")], "is not UTF-8"),
    "b38-256-bytes": (lambda _: [file("n" * 256)], "longer than 255 bytes"),
    "b38-4096-bytes": (lambda _: [file(f"{'d' * 254}/" * 16 + "e" * 16)], "longer than 4095 bytes"),
    "b39-cve_2021_29136-root-as-a-symlink": (
        lambda v: [symlink("/.", v) + file("evil")],
        "root of the layer",
    ),
    "b39-cve_2021_29136-root-of-an-upper-layer": (
        lambda v: [file("a"), symlink(".", v)],
        "root of the layer",
    ),
    "b39-root-as-a-hard-link": (lambda _: [file("a") + hard_link("./", "a")], "root of the layer"),
    "b39-root-as-a-file": (lambda _: [header(b".")], "root of the layer"),
    "b40-large-pax-header": (lambda _: [pax((b"comment", bytes(MiB))) + file("a")], "extended tar header"),
    "b40-nul-in-a-name": (lambda _: [pax((b"path", b"a\0b")) + header()], "not a file name"),
    "b40-size-beyond-the-data": (lambda _: [pax((b"size", b"6000")) + header()], "truncated"),
    "b40-size-within-the-data": (lambda _: [pax((b"size", b"3")) + file("a", b"x" * 1000)], "checksum"),
    "b40-cve_2025_8194-negative-size": (lambda _: [header(size=b"\xff" * 12)], "negative"),
    "b42-owner": (lambda _: [pax((b"uid", b"4294967295")) + file("a")], "uid"),
    "b42-group": (lambda _: [pax((b"gid", b"-1")) + file("a")], "gid"),
    "b42-negative-owner": (lambda _: [header(uid=b"\xff" * 8)], "negative"),
    "b45-truncated-data": (lambda _: [header(size=b"10000") + b"x"], "truncated"),
    "b45-wrong-checksum": (lambda _: [header().replace(b"ustar", b"ustAr")], "checksum"),
    "cve_2025_4435-one-bad-among-good": (
        lambda _: [file("a") + file("../evil") + file("b")],
        "leads out of the layer",
    ),
    "cve_2026_41579-dev": (lambda v: [symlink("dev", v)], "/dev is a link"),
    "cve_2026_41579-proc": (lambda v: [symlink("./proc", v)], "/proc is a link"),
    "cve_2026_41579-sys": (lambda v: [symlink("x", v) + hard_link("/sys", "x")], "/sys is a link"),
    "cve_2026_41579-upper-layer": (lambda v: [directory("dev"), symlink("dev", v)], "/dev is a link"),
}
TAKEN: dict[str, tuple[Make, Callable[[str], dict[str, str]]]] = {
    "b21-absolute": (lambda _: [file("/abs/x")], lambda _: {"abs/x": "evil"}),
    "b21-cve_2014_9356-path-of-the-victim": (
        lambda v: [file(f"{v}/hello")],
        lambda v: {f"{v}/hello"[1:]: "evil"},
    ),
    "b23-cve_2024_12718-mode-of-a-symlink": (
        lambda v: [symlink("x", v) + directory("x/.", b"0777")],
        lambda _: {},
    ),
    "b24-cve_2014_6407-symlink-below": (
        lambda v: [symlink("etc", v), file("etc/evil")],
        lambda _: {"etc/evil": "evil"},
    ),
    "b24-cve_2018_15664-two-symlinks-below": (
        lambda v: [symlink("a", "b") + symlink("b", v), file("a/hello") + file("b/directory/file")],
        lambda _: {"a/hello": "evil", "b/directory/file": "evil"},
    ),
    "b24-cve_2025_9566-file-over-a-symlink": (
        lambda v: [symlink("hello", f"{v}/hello"), file("hello")],
        lambda _: {"hello": "evil"},
    ),
    "b24-cve_2021_32760-directory-over-a-symlink": (
        lambda v: [symlink("x", v), directory("x", b"0777")],
        lambda _: {},
    ),
    "b25-cve_2021_32760-mode-of-a-link-to-a-symlink": (
        lambda v: [symlink("x", f"{v}/hello") + hard_link("y", "x")],
        lambda v: {"x": f"-> {v}/hello", "y": f"-> {v}/hello"},
    ),
    "b25-cve_2014_9356-file-over-a-link-to-a-symlink": (
        lambda v: [symlink("s", f"{v}/hello") + hard_link("h", "s") + file("h")],
        lambda v: {"s": f"-> {v}/hello", "h": "evil"},
    ),
    "b25-forward": (lambda _: [hard_link("h", "a") + file("a", b"1")], lambda _: {"a": "1", "h": "1"}),
    "b26-devices-and-fifos": (
        lambda _: [b"".join(_named("dev/n", typeflag=flag) for flag in (b"3", b"4", b"6")) + file("a", b"1")],
        lambda _: {"a": "1"},
    ),
    "b26-character-device-0-0-hides-nothing": (
        lambda _: [file("n", b"1"), _named("n", typeflag=b"3")],
        lambda _: {"n": "1"},
    ),
    **{
        f"b29-{name}-{order}": (_whiteout_beside(name, order), partial(_kept, name))
        for name in ("f", "-f", "+f", " f", "#f")
        for order in ("first", "last")
    },
    "b29-names-that-sort-before": (
        lambda _: [
            file("f"),
            b"".join(file(one, b"2") for one in (".wh.f", "f", "-f", "+f", " f", "#f")),
        ],
        lambda _: {"f": "2", "-f": "2", "+f": "2", " f": "2", "#f": "2"},
    ),
    "b30-opaque-first": (
        lambda _: [file("d/old") + file("d/e/old"), file("d/.wh..wh..opq") + file("d/new", b"2")],
        lambda _: {"d/new": "2"},
    ),
    "b30-opaque-last": (
        lambda _: [file("d/old"), file("d/new", b"2") + file("d/.wh..wh..opq")],
        lambda _: {"d/new": "2"},
    ),
    "b30-opaque-root": (
        lambda _: [file("old"), file("new", b"2") + file(".wh..wh..opq")],
        lambda _: {"new": "2"},
    ),
    "b30-opaque-nested": (
        lambda _: [
            file("d/e/old") + file("d/kept", b"1"),
            file("d/e/new", b"2") + file("d/e/.wh..wh..opq") + file("d/e/newer", b"2"),
        ],
        lambda _: {"d/kept": "1", "d/e/new": "2", "d/e/newer": "2"},
    ),
    "b30-opaque-over-a-symlink": (lambda v: [symlink("d", v), file("d/.wh..wh..opq")], lambda _: {}),
    "b32-with-content": (lambda _: [file("old"), file(".wh.old", b"content")], lambda _: {}),
    "b32-nothing-to-hide": (lambda _: [file("a", b"1"), file(".wh.b")], lambda _: {"a": "1"}),
    "b32-of-a-tree": (lambda _: [file("d/e/f"), file(".wh.d")], lambda _: {}),
    "b32-of-a-symlink": (lambda v: [symlink("x", v), file(".wh.x")], lambda _: {}),
    "b33-aufs": (
        lambda _: [file(".wh..wh.plnk/17") + file(".wh..wh.aufs") + file("d/.wh..wh.orph")],
        lambda _: {},
    ),
    "b34-file-to-directory": (lambda _: [file("a"), file("a/b", b"2")], lambda _: {"a/b": "2"}),
    "b34-directory-to-file": (lambda _: [file("a/b"), file("a", b"2")], lambda _: {"a": "2"}),
    "b34-directory-to-symlink": (lambda v: [file("a/b"), symlink("a", v)], lambda v: {"a": f"-> {v}"}),
    "b34-symlink-to-directory": (lambda v: [symlink("a", v), directory("a")], lambda _: {}),
    "b36-odd-names": (
        lambda _: [b"".join(file(name, b"1") for name in ODD_NAMES)],
        lambda _: dict.fromkeys(ODD_NAMES, "1"),
    ),
    "b38-255-bytes": (lambda _: [file("n" * 255, b"1")], lambda _: {"n" * 255: "1"}),
    "b40-size-in-pax": (
        lambda _: [pax((b"size", b"3")) + header(size=b"777") + padded(b"abc")],
        lambda _: {"a": "abc"},
    ),
    "b41-twice": (lambda _: [file("a", b"1") + file("./a", b"2")], lambda _: {"a": "2"}),
    "b44-time-before-1970": (lambda _: [pax((b"mtime", b"-1")) + file("a", b"1")], lambda _: {"a": "1"}),
    "b44-time-of-2^63": (lambda _: [pax((b"mtime", b"%d" % 2**63)) + file("a", b"1")], lambda _: {"a": "1"}),
}
ODD_NAMES = ("a\nb", "\t", "\x1b[2J", "$(x)", "'\"", "-rf", "%i")


@pytest.fixture
def victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Victim:
    """Make a victim, and work in it: what is relative to nothing else is relative to that."""
    victim = Victim.make(tmp_path / "victim")
    monkeypatch.chdir(victim.path)
    return victim


@pytest.mark.parametrize("layers", REFUSED)
def test_a_layer_that_must_not_be_leaves_nothing(
    repo: Repo, tmp_path: Path, victim: Victim, layers: str
) -> None:
    """No image, no object, no stage; a layer that came before it, and is whole, may stay."""
    make, said = REFUSED[layers]
    before = victim.state()
    tars = [tar + END for tar in make(str(victim.path))]
    with pytest.raises(ImageError, match=said) as caught:
        import_raw(repo, raw_image(*tars))
    assert caught.value.message.isprintable()
    assert victim.state() == before
    assert {one.name for one in tmp_path.iterdir()} == {"repo", "victim"}
    assert repo.images() == []
    assert len(repo.layers()) == len(tars) - 1
    assert list((repo.path / "tmp").glob("os-containers-*")) == []
    if len(tars) == 1:
        assert list((repo.path / "objects").glob("*/*")) == []


@pytest.mark.parametrize("layers", TAKEN)
def test_a_layer_that_may_be_stays_inside(repo: Repo, tmp_path: Path, victim: Victim, layers: str) -> None:
    """All that it brings is in the rootfs, nothing there is of the host; it can be removed again."""
    make, expected = TAKEN[layers]
    before = victim.state()
    image = import_raw(repo, raw_image(*(tar + END for tar in make(str(victim.path)))))
    found = files_of(repo, image, tmp_path / "rootfs")
    assert found == expected(str(victim.path))
    assert SECRET.decode() not in found.values()
    assert victim.state() == before
    trees.remove_tree(tmp_path / "rootfs")
    assert victim.state() == before
    assert {one.name for one in tmp_path.iterdir()} == {"repo", "victim"}


def test_cve_2025_9566_a_second_image_does_not_write_through_the_first(
    repo: Repo, tmp_path: Path, victim: Victim
) -> None:
    """Each checkout is a directory of its own; what an earlier one left is never followed."""
    before = victim.state()
    first = import_raw(repo, raw_image(symlink("x", str(victim.path)) + END))
    assert files_of(repo, first, tmp_path / "first") == {"x": f"-> {victim.path}"}
    second = import_raw(repo, raw_image(file("x/hello") + END))
    assert files_of(repo, second, tmp_path / "second") == {"x/hello": "evil"}
    (tmp_path / "third").symlink_to(victim.path)
    with pytest.raises(ConflictError):
        checkout(repo, second.commit, tmp_path / "third")
    assert victim.state() == before


def test_b26_what_was_left_out_is_warned_of_once(repo: Repo) -> None:
    """Also character device 0:0, which overlayfs takes for a whiteout."""
    events: list[Event] = []
    devices = b"".join(_named(f"n{flag!r}", typeflag=flag) for flag in (b"3", b"4", b"6"))
    import_raw(repo, raw_image(devices + END), events=events)
    (warning,) = (event.text for event in events if isinstance(event, Warned))
    assert warning.endswith("3 device nodes and other special files were left out")


@pytest.mark.parametrize(("written", "root", "user"), [(b"04755", 0o4755, 0o755), (b"02711", 0o2711, 0o711)])
def test_b27_setuid_is_kept_for_the_system_and_dropped_for_a_user(
    repo: Repo, tmp_path: Path, written: bytes, root: int, user: int
) -> None:
    """A user's files never are what an image calls another's."""
    image = import_raw(repo, raw_image(file("su", mode=written) + END))
    checkout(repo, image.commit, tmp_path / "rootfs")
    mode = stat.S_IMODE((tmp_path / "rootfs/su").stat().st_mode)
    assert mode == (root if repo.mode is Mode.SYSTEM else user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give capabilities")
def test_b28_a_checkout_has_the_images_attributes_and_none_of_the_hosts(tmp_path: Path) -> None:
    """A program keeps its capabilities; labels, measurements and what overlayfs reads are not the image's."""
    repo = Repo.open(tmp_path / "repo", Mode.SYSTEM)
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    attributes = pax(
        (b"SCHILY.xattr.security.capability", capability),
        (b"SCHILY.xattr.user.a", b"1"),
        *((b"SCHILY.xattr." + name, b"x") for name in (b"security.ima", b"trusted.overlay.opaque")),
        (b"SCHILY.xattr.security.selinux", b"system_u:object_r:evil_t:s0"),
    )
    image = import_raw(repo, raw_image(attributes + file("ping") + END))
    checkout(repo, image.commit, tmp_path / "rootfs")
    ping = tmp_path / "rootfs/ping"
    found = {name: os.getxattr(ping, name) for name in os.listxattr(ping)}
    found.pop("security.selinux", None)  # the host's own
    assert found == {"security.capability": capability, "user.a": b"1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_b35_attributes_of_a_directory_are_those_of_the_highest_layer_that_names_it(tmp_path: Path) -> None:
    """Mode, owner and extended attributes; a layer that has only a file in it says nothing of them."""
    repo = Repo.open(tmp_path / "repo", Mode.SYSTEM)
    lower = pax((b"SCHILY.xattr.user.a", b"1")) + header(b"d", typeflag=b"5", mode=b"0755", uid=b"1")
    upper = pax((b"SCHILY.xattr.user.b", b"2")) + header(b"d", typeflag=b"5", mode=b"0700", uid=b"7")
    image = import_raw(repo, raw_image(lower + END, upper + END, file("d/f") + END))
    checkout(repo, image.commit, tmp_path / "rootfs")
    directory = tmp_path / "rootfs/d"
    status = directory.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, 7)
    assert {name for name in os.listxattr(directory) if name.startswith("user.")} == {"user.b"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_b28_a_file_system_without_xattrs_is_told(tmp_path: Path) -> None:
    """The hint says where the repo can be instead."""
    place = tmp_path / "ramfs"
    place.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", place], check=True)
    try:
        repo = Repo.open(place / "repo", Mode.SYSTEM)
        attribute = pax((b"SCHILY.xattr.user.a", b"1"))
        with pytest.raises(SystemFaultError, match="not supported") as caught:
            import_raw(repo, raw_image(attribute + file("a") + END))
        assert "OSTREE_REPO" in str(caught.value.hint)
        assert repo.images() == []
    finally:
        # lazily: libostree closes the repo when it pleases
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_b13_a_layer_that_outgrows_the_file_system_is_refused(tmp_path: Path) -> None:
    """Before the reserve is touched, naming the file system, need and have; the space is free again."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], check=True)
    try:
        repo = Repo.open(place / "repo", Mode.SYSTEM)
        before = os.statvfs(place).f_bavail
        fits = b"".join(file(f"f{n}", os.urandom(MiB)) for n in range(8))
        import_raw(repo, raw_image(fits + END))
        repo.delete_image("image")
        prune_repo(repo)
        assert before - os.statvfs(place).f_bavail < 64
        bomb = b"".join(file(f"f{n}", os.urandom(MiB)) for n in range(18))
        with pytest.raises(SystemFaultError, match="it needs more than") as caught:
            import_raw(repo, raw_image(bomb + END))
        assert str(place) in caught.value.message
        assert "kept in reserve" in caught.value.message
        assert "prune" in str(caught.value.hint)
        assert before - os.statvfs(place).f_bavail < 64
    finally:
        # lazily: libostree closes the repo when it pleases
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(ratio=20, ratio_from=MiB), "times its size"),
        (Limits(layer_size=4 * MiB), "unpacks to more than 4194304 bytes"),
    ],
)
def test_b13_a_bomb_leaves_nothing(repo: Repo, compression: str, limits: Limits, said: str) -> None:
    """It is stopped while it unpacks, and the disk is as before."""
    with pytest.raises(ImageError, match=said):
        import_raw(
            repo, raw_image(file("zeros", bytes(32 * MiB)) + END, compression=compression), limits=limits
        )
    assert list((repo.path / "objects").glob("*/*")) == []
    assert list((repo.path / "tmp").glob("os-containers-*")) == []


@pytest.mark.parametrize("layer", [header(b"a", typeflag=b"S"), pax((b"GNU.sparse.major", b"1")) + header()])
def test_b13_a_sparse_file_is_refused(repo: Repo, layer: bytes) -> None:
    """It would unpack to any size without a byte of the layer."""
    with pytest.raises(ImageError, match="sparse"):
        import_raw(repo, raw_image(layer + END))


def test_cve_2023_25153_memory_is_bounded_by_the_pieces(tmp_path: Path) -> None:
    """A file of 300 MiB, compressed to a few hundred KiB, is never in memory as a whole."""
    script = tmp_path / "import.py"
    layer = tmp_path / "layer"
    with gzip.open(layer, "wb", compresslevel=1) as out:
        out.write(header(b"zeros", size=b"%o" % (300 * MiB)))
        for _ in range(300):
            out.write(bytes(MiB))
        out.write(END)
    script.write_text(
        "import re, sys\n"
        "from os_containers.image.compression import PlainStream\n"
        "from os_containers.image.tar import TarReader\n"
        "reader = TarReader(PlainStream(open(sys.argv[1], 'rb')))\n"
        "for entry in reader:\n"
        "    assert sum(len(piece) for piece in reader.content()) == entry.size == 300 << 20\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
    )
    ran = subprocess.run([sys.executable, script, layer], check=True, capture_output=True, text=True)
    assert int(ran.stdout) < 100 << 10  # KiB


def test_cve_2021_20291_a_bad_layer_leaves_no_lock(repo: Repo) -> None:
    """The next pull, of this process and of another, goes on at once."""
    for _ in range(2):
        with pytest.raises(ImageError):
            import_raw(repo, raw_image(file("../evil") + END))
    import_raw(repo, raw_image(file("a", b"1") + END))
    subprocess.run(["ostree", "prune", f"--repo={repo.path}", "--refs-only"], check=True, timeout=20)
    assert [image.name for image in repo.images()] == ["image"]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_b47_an_object_with_too_many_links_is_copied(repo: Repo, tmp_path: Path) -> None:
    """ext4 takes 65000 names of a file; strace plays one that takes three."""
    names = [f"f{number}" for number in range(6)]
    import_raw(repo, raw_image(b"".join(file(name, b"same") for name in names) + END))
    rootfs = tmp_path / "rootfs"
    script = (
        "from pathlib import Path\n"
        "from os_containers.ostree.checkout import checkout\n"
        "from os_containers.ostree.repo import Repo\n"
        "from os_containers.paths import Mode\n"
        f"repo = Repo.open(Path({str(repo.path)!r}), Mode({repo.mode.value!r}))\n"
        f"checkout(repo, repo.image('image').commit, Path({str(rootfs)!r}))\n"
    )
    strace = ["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", "trace=linkat"]
    fault = "inject=linkat:error=EMLINK:when=4"
    subprocess.run([*strace, "-e", fault, sys.executable, "-c", script], check=True)
    assert "EMLINK" in (tmp_path / "trace").read_text()
    assert {one.name: one.read_bytes() for one in rootfs.iterdir()} == dict.fromkeys(names, b"same")


def test_b46_a_depth_of_2000_is_imported_checked_out_and_removed(repo: Repo, tmp_path: Path) -> None:
    """Without recursion of ours, and without a path that is too long."""
    image = import_raw(repo, raw_image(file("d/" * 2000 + "f", b"1") + END))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, limit[1]), limit[1]))
    try:
        checkout(repo, image.commit, tmp_path / "rootfs")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        trees.remove_tree(tmp_path / "rootfs")
    assert not (tmp_path / "rootfs").exists()


def test_b46_many_entries_take_time_and_memory_in_proportion(repo: Repo) -> None:
    """30,000 names of one file, in a second or two."""
    names = b"".join(header(b"%d/%d" % (n % 300, n), typeflag=b"1", link=b"a") for n in range(30_000))
    started = time.process_time()
    image = import_raw(repo, raw_image(file("a", b"1") + names + END))
    assert time.process_time() - started < 10
    assert image.size == 1
