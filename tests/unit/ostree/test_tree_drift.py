"""What has become of a checkout is found, and mended where nothing of others' is in the way."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from os_containers.ostree.checkout import checkout
from os_containers.ostree.formats import Attributes
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import SIZE
from os_containers.ostree.tree import Directory
from os_containers.ostree.tree_drift import Drift, Drifted, find_drift, mend_drift
from os_containers.paths import Mode

Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Sample:
    """A checkout of /file, /link -> file, /d/inner and /d/e."""

    repo: Repo
    commit: str
    rootfs: Path

    def found(self) -> list[Drifted]:
        return list(
            find_drift(self.repo.path, self.repo.mode, self.repo.whole_tree(self.commit), self.rootfs)
        )

    def drift(self) -> list[tuple[str, Drift]]:
        return [(str(one.path.relative_to(self.rootfs)), one.drift) for one in self.found()]

    def mend(self) -> None:
        for one in self.found():
            mend_drift(self.repo.path, self.repo.mode, one)


@pytest.fixture
def sample(repo: Repo, tmp_path: Path) -> Sample:
    with repo.transaction() as transaction:
        objects = transaction.objects
        meta = objects.write_dirmeta(Attributes(mode=0o755))
        inner = {"inner": objects.write_file(Attributes(mode=0o755), [b"program"])}
        tree = Directory(
            meta,
            {
                "file": objects.write_file(Attributes(), [b"content"]),
                "link": objects.write_symlink(Attributes(), "file"),
            },
            {"d": Directory(meta, inner, {"e": Directory(meta)})},
        )
        commit = transaction.write_commit(objects.write_tree(tree), {SIZE: "0"})
        transaction.set_ref("ociimage/sample", commit)
    checkout(repo, commit, tmp_path / "rootfs")
    return Sample(repo, commit, tmp_path / "rootfs")


def edit(path: Path) -> None:
    """Replace a file as sed does in place: another inode."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_text("programs"[: -1 if path.name == "inner" else 8].replace("p", "P"))
    path.chmod(mode)


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def exchange(path: Path, *, by: Damage) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    by(path)


MENDED: list[tuple[str, Drift, Damage]] = [
    ("file", Drift.FILE, lambda top: (top / "file").unlink()),
    ("d/inner", Drift.FILE, lambda top: edit(top / "d/inner")),
    ("link", Drift.FILE, lambda top: relink(top / "link", "/etc/shadow")),
    ("file", Drift.FILE, lambda top: relink(top / "file", "/etc/shadow")),
    ("d", Drift.DIRECTORY, lambda top: shutil.rmtree(top / "d")),
    ("d", Drift.ATTRIBUTES, lambda top: (top / "d").chmod(0o777)),
    (".", Drift.ATTRIBUTES, lambda top: top.chmod(0o700)),
    (".os-containers-file@1", Drift.LEFT, lambda top: (top / ".os-containers-file@1").write_text("new")),
]
OTHERS: list[tuple[str, Drift, Damage]] = [
    ("d/added", Drift.ADDED, lambda top: (top / "d/added").write_text("somebody's")),
    ("new", Drift.ADDED, lambda top: (top / "new").symlink_to("/etc/shadow")),
    ("file", Drift.IN_THE_WAY, lambda top: exchange(top / "file", by=Path.mkdir)),
    ("d", Drift.IN_THE_WAY, lambda top: exchange(top / "d", by=Path.touch)),
]


def test_a_checkout_has_no_drift(sample: Sample) -> None:
    """Nor has one that a runtime has made places in, to mount something there, or devices."""
    assert sample.drift() == []
    (sample.rootfs / "proc" / "/".join(["deep"] * 600)).mkdir(parents=True)
    (sample.rootfs / "d/resolv.conf").touch()
    (sample.rootfs / "dev").mkdir()
    (sample.rootfs / "dev/stdin").symlink_to("/proc/self/fd/0")
    assert sample.drift() == []


def test_a_copy_is_as_good_as_a_link(sample: Sample) -> None:
    """A file may have too many links for one more."""
    shutil.copy2(sample.rootfs / "d/inner", sample.rootfs / "copy")
    (sample.rootfs / "copy").rename(sample.rootfs / "d/inner")
    assert sample.drift() == []


def test_nothing_is_said_where_the_object_is_missing_or_something_else(sample: Sample) -> None:
    """The store is damaged then, and not what was made of it."""
    (sample.rootfs / "file").unlink()
    (sample.rootfs / "d/inner").unlink()
    objects = [one for one in sample.repo.path.glob("objects/*/*.file") if not one.is_symlink()]
    for path in objects:
        content = path.read_bytes()
        path.unlink()
        if content == b"content":
            path.mkdir()
    found = find_drift(sample.repo.path, sample.repo.mode, sample.repo.tree(sample.commit), sample.rootfs)
    assert [one.path.name for one in found if one.path.name != "link"] == []


def test_an_object_without_its_attributes_is_none(sample: Sample) -> None:
    """A user's repo that was copied without them: the store tells, and nothing is said of the root."""
    (sample.rootfs / "file").unlink()
    (sample.rootfs / "link").unlink()
    for path in sample.repo.path.glob("objects/*/*.file"):
        if "user.ostreemeta" in os.listxattr(path, follow_symlinks=False):
            os.removexattr(path, "user.ostreemeta")
    # the system's are what they should be without any
    missing = [] if sample.repo.mode is Mode.USER else [("file", Drift.FILE), ("link", Drift.FILE)]
    assert sample.drift() == missing


def test_a_directory_that_cannot_be_read_is_told_and_mended(sample: Sample) -> None:
    """Also by a user: its owner may change that."""
    (sample.rootfs / "d").chmod(0)
    assert sample.drift() == [("d", Drift.ATTRIBUTES)]
    sample.mend()
    assert sample.drift() == []


@pytest.mark.parametrize(("path", "kind", "damage"), MENDED)
def test_what_is_the_images_is_mended(sample: Sample, path: str, kind: Drift, damage: Damage) -> None:
    damage(sample.rootfs)
    assert sample.drift() == [(path, kind)]
    sample.mend()
    assert sample.drift() == []


@pytest.mark.parametrize(("path", "kind", "damage"), OTHERS)
def test_what_others_brought_stays(sample: Sample, path: str, kind: Drift, damage: Damage) -> None:
    damage(sample.rootfs)
    sample.mend()
    assert sample.drift() == [(path, kind)]
    assert not kind.is_mendable
