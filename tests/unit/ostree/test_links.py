"""A checkout by our own links is what libostree's would be."""

import errno
import os
from pathlib import Path

import pytest
from policy import as_root, label_of, labels_like

from os_containers import process
from os_containers.ostree.checkout import checkout
from os_containers.ostree.formats import Attributes
from os_containers.ostree.objects import object_path
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import SIZE
from os_containers.ostree.tree import Directory
from os_containers.paths import Mode

XATTRS = ((b"user.colour", b"green"),)
# How many links ext4 allows to one file; others allow more, or end the loop by their own limit.
MOST_LINKS = 65_000


def commit_of(repo: Repo, tree: Directory) -> str:
    with repo.transaction() as transaction:
        commit = transaction.write_commit(transaction.objects.write_tree(tree), {SIZE: "0"})
        transaction.set_ref("ociimage/sample", commit)
    return commit


def sample(repo: Repo) -> str:
    owner = (1000, 1001) if repo.mode is Mode.SYSTEM else (os.geteuid(), os.getegid())
    with repo.transaction() as transaction:
        objects = transaction.objects
        inner = Directory(
            objects.write_dirmeta(Attributes(*owner, 0o2750, XATTRS)),
            {
                "plain": objects.write_file(Attributes(), [b"content"]),
                "setuid": objects.write_file(Attributes(*owner, 0o4755, XATTRS), [b"program"]),
                "link": objects.write_symlink(Attributes(*owner), "../gone/\u00e4"),
                "empty": objects.write_file(Attributes(), []),
            },
        )
    return commit_of(repo, Directory(files=dict(inner.files), directories={"d": inner, "e": Directory()}))


def found(top: Path) -> dict[str, tuple[int | str | bytes, ...]]:
    """Return all that a tree is made of; for files the inode, which tells content, owner and mode."""
    seen: dict[str, tuple[int | str | bytes, ...]] = {}
    for path in (top, *top.rglob("*")):
        status = path.lstat()
        facts: tuple[int | str | bytes, ...] = (status.st_mode, status.st_uid, status.st_gid)
        if path.is_symlink():
            facts += (str(path.readlink()),)
        elif path.is_dir():
            facts += (status.st_mtime_ns, str(sorted(os.listxattr(path))))
        else:
            # libostree makes an empty file anew
            facts += (status.st_ino if status.st_size else 0,)
        seen[str(path.relative_to(top))] = facts
    return seen


def test_a_checkout_is_that_of_libostree(repo: Repo, tmp_path: Path) -> None:
    commit = sample(repo)
    checkout(repo, commit, tmp_path / "ours")
    options = ["--user-mode"] if repo.mode is Mode.USER else []
    process.run(
        ["ostree", "checkout", f"--repo={repo.path}", "--fsync=no", *options, commit, tmp_path / "theirs"]
    )
    assert found(tmp_path / "ours") == found(tmp_path / "theirs")


def use_up_links(source: Path, directory: Path) -> None:
    """Make links of a file until there can be no more; skip the test where there can be more than ext4's."""
    directory.mkdir()
    for number in range(MOST_LINKS):
        try:
            os.link(source, directory / str(number), follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EMLINK:
                return
            raise
    pytest.skip("this file system takes more links")


def test_a_file_with_as_many_links_as_there_can_be_is_copied(repo: Repo, tmp_path: Path) -> None:
    """Many deployments of many images may share one empty file."""
    commit = sample(repo)
    checkout(repo, commit, tmp_path / "first")
    original = tmp_path / "first/d/setuid"
    use_up_links(original, tmp_path / "links")
    checkout(repo, commit, tmp_path / "second")
    copy = tmp_path / "second/d/setuid"
    status, expected = copy.lstat(), original.lstat()
    assert copy.read_bytes() == b"program"
    assert status.st_ino != expected.st_ino
    assert (status.st_mode, status.st_uid, status.st_mtime) == (expected.st_mode, expected.st_uid, 0)
    if repo.mode is Mode.SYSTEM:
        assert os.getxattr(copy, "user.colour") == b"green"


def test_a_symlink_with_as_many_links_as_there_can_be_is_made_anew(repo: Repo, tmp_path: Path) -> None:
    commit = sample(repo)
    source = Path(object_path(repo.path, f"{repo.tree(commit).files['link']}.file"))
    use_up_links(source, tmp_path / "links")
    checkout(repo, commit, tmp_path / "rootfs")
    link = tmp_path / "rootfs/d/link"
    assert str(link.readlink()) == "../gone/\u00e4"
    assert link.lstat().st_uid == source.lstat().st_uid


@as_root
def test_a_rootfs_has_the_label_of_the_root_and_is_made_under_that_of_images(tmp_path: Path) -> None:
    """Its files are hard links, and have what they have in the repo: here, where no kernel labels, none."""
    repo = Repo.open(tmp_path / "repo", Mode.SYSTEM)
    commit = sample(repo)
    checkout(repo, commit, tmp_path / "rootfs", labels=labels_like({"/": "root_t"}, of_images="ro_t"))
    assert label_of(tmp_path / "rootfs") == "root_t"
    checkout(repo, commit, tmp_path / "other", labels=labels_like({}, of_images="ro_t"))
    # the kernel lets inherit it what is made in it
    assert label_of(tmp_path / "other") == "ro_t"
    assert label_of(tmp_path / "rootfs/plain") == ""
