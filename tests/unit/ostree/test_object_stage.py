"""What we write is what libostree writes."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from policy import as_root, label_of, labels_like

from os_containers import process
from os_containers.errors import BrokenError, ImageError, SystemFaultError
from os_containers.ostree.formats import Attributes
from os_containers.ostree.object_stage import ObjectStage, object_stage
from os_containers.ostree.objects import object_path, read_tree, read_whole_tree
from os_containers.ostree.repo import Repo
from os_containers.ostree.tree import Directory
from os_containers.paths import Mode

XATTRS = ((b"user.a", b"1"), (b"user.b", b"\0\xff" * 200))
LARGE = [b"x" * 70_000, b"y" * 70_000, b"z"]


def write_sample(repo: Repo) -> None:
    """Write objects of every kind with our writer."""
    with repo.transaction() as transaction:
        writer = transaction.objects
        owner = (1, 2) if os.geteuid() == 0 else (0, 0)
        inner = Directory(
            meta=writer.write_dirmeta(Attributes(*owner, 0o2755, XATTRS)),
            files={
                "empty": writer.write_file(Attributes(), []),
                "large": writer.write_file(Attributes(*owner, 0o600), LARGE),
                "setuid": writer.write_file(Attributes(*owner, 0o4755, XATTRS), [b"program"]),
                "unreadable": writer.write_file(Attributes(mode=0o000), [b"secret"]),
                "naïve\n": writer.write_file(Attributes(mode=0o666), [b"odd name"]),
                "link": writer.write_symlink(Attributes(*owner), "../tärget"),
            },
        )
        root = Directory(directories={"inner": inner})
        root.directories["many"] = Directory(
            files={f"f{number}": inner.files["empty"] for number in range(999)}
        )
        tree = writer.write_tree(root)
        transaction.set_ref("ociimage/sample", transaction.write_commit(tree, {"key": "value"}))


def rewrite_by_libostree(source: Repo, target: Repo, between: Path) -> None:
    """Let libostree read our objects into an archive, and write them anew from there."""
    process.run(["ostree", "init", f"--repo={between}", "--mode=archive"])
    process.run(["ostree", "pull-local", f"--repo={between}", source.path, "ociimage/sample"])
    process.run(["ostree", "pull-local", f"--repo={target.path}", between, "ociimage/sample"])


def objects(repo: Repo) -> dict[str, tuple[int, int, int, bytes | str, dict[str, bytes]]]:
    found = {}
    for path in (repo.path / "objects").glob("*/*"):
        if path.suffix == ".commit":
            continue
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes()
        xattrs = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        found[f"{path.parent.name}{path.name}"] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            content,
            xattrs,
        )
    return found


def test_objects_are_those_of_libostree(repo: Repo, tmp_path: Path) -> None:
    other = Repo.open(tmp_path / "other", repo.mode)
    write_sample(repo)
    rewrite_by_libostree(repo, other, tmp_path / "between")
    assert objects(repo) == objects(other)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_fsck_finds_nothing_whatever_the_umask(repo: Repo, umask: int) -> None:
    former = os.umask(umask)
    try:
        write_sample(repo)
    finally:
        os.umask(former)
    assert process.run(["ostree", "fsck", f"--repo={repo.path}"]).returncode == 0


def test_a_tree_comes_back(repo: Repo) -> None:
    with repo.transaction() as transaction:
        checksum = transaction.objects.write_file(Attributes(), [b"hello"])
        root = Directory(files={"f": checksum}, directories={"d": Directory(files={"g": checksum})})
        tree = transaction.objects.write_tree(root)
    read = read_tree(repo.path, *tree)
    assert read.files == {"f": checksum}
    assert read.directories["d"].files == {"g": checksum}


@pytest.mark.parametrize("damage", ["removed", "changed", "emptied"])
def test_b93_a_damaged_dirtree_is_told(repo: Repo, damage: str) -> None:
    with repo.transaction() as transaction:
        tree = transaction.objects.write_tree(Directory(files={"f": "0" * 64}))
    path = Path(object_path(repo.path, f"{tree[0]}.dirtree"))
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else path.read_bytes()[:-1] + b"?")
    with pytest.raises(BrokenError):
        read_tree(repo.path, *tree)


def test_b93_a_missing_file_is_told(repo: Repo) -> None:
    with repo.transaction() as transaction:
        tree = transaction.objects.write_tree(Directory(files={"f": "0" * 64}))
    with pytest.raises(BrokenError, match="is missing"):
        read_whole_tree(repo.path, *tree)


def test_the_same_content_is_stored_once(repo: Repo) -> None:
    with repo.transaction() as transaction:
        for content in ([b"same"], [b"sa", b"me"], [b"same"]):
            transaction.objects.write_file(Attributes(), content)
    with repo.transaction() as transaction:
        transaction.objects.write_file(Attributes(), [b"sa", b"me"])
        assert transaction.objects.directory.exists()
        assert list(transaction.objects.directory.iterdir()) == []
    assert len(list((repo.path / "objects").glob("*/*.file"))) == 1


def test_what_failed_takes_nothing_of_what_was_before_with_it(repo: Repo) -> None:
    """A layer that fails may have held what an earlier one holds, too."""
    with repo.transaction() as transaction:
        kept = {transaction.objects.write_file(Attributes(), content) for content in (LARGE, [b"small"])}
        with pytest.raises(ImageError), transaction.objects.all_or_none() as stage:  # noqa: PT012 - fails last
            for content in (LARGE, [b"small"], [b"other"], [*LARGE, b"more"]):
                stage.write_file(Attributes(), content)
            stage.write_symlink(Attributes(), "target")
            stage.write_dirmeta(Attributes())
            raise ImageError("malformed")
    assert objects(repo).keys() == {f"{one}.file" for one in kept}


# no file system keeps one of this size
TOO_LARGE = Attributes(xattrs=((b"user.large", bytes(70_000)),))
WRITERS: dict[str, Callable[[ObjectStage], object]] = {
    "small file": lambda stage: stage.write_file(TOO_LARGE, [b"small"]),
    "large file": lambda stage: stage.write_file(TOO_LARGE, LARGE),
    "symlink": lambda stage: stage.write_symlink(TOO_LARGE, "target"),
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("writer", WRITERS)
def test_b80_nothing_is_left_of_what_fails_amid_a_file(tmp_path: Path, mode: Mode, writer: str) -> None:
    """What is half written would have its final name, and nobody would write it again."""
    if mode is Mode.SYSTEM and os.geteuid() != 0:
        pytest.skip("only root keeps owners")
    repo = Repo.open(tmp_path / "repo", mode)
    with repo.transaction() as transaction:
        kept = transaction.objects.write_file(Attributes(), [b"kept"])
        with pytest.raises((SystemFaultError, OSError)), transaction.objects.all_or_none() as stage:
            WRITERS[writer](stage)
    assert objects(repo).keys() == {f"{kept}.file"}


@pytest.mark.parametrize("first", [[], [b"another"]], ids=["empty", "used"])
def test_what_is_there_already_and_what_is_new_come_together(repo: Repo, first: list[bytes]) -> None:
    """Whether a directory of objects is new as a whole or not."""
    contents = [*([content] for content in first), *([b"%d" % number] for number in range(999)), LARGE]
    for some in (contents[:1], contents, contents):
        with repo.transaction() as transaction:
            written = {transaction.objects.write_file(Attributes(), content) for content in some}
    assert objects(repo).keys() == {f"{one}.file" for one in written}
    assert list((repo.path / "tmp").glob("os-containers-*")) == []


def test_nothing_is_in_the_repo_when_a_transaction_fails(repo: Repo) -> None:
    with pytest.raises(ImageError), repo.transaction() as transaction:  # noqa: PT012 - the failure comes last
        transaction.objects.write_file(Attributes(), [b"hello"])
        transaction.set_ref("ociimage/x", "0" * 64)
        raise ImageError("malformed")
    assert objects(repo) == {}
    assert repo.images() == []
    assert list((repo.path / "tmp").glob("os-containers-*")) == []


def test_b84_what_a_killed_import_left_is_removed_by_the_next(repo: Repo) -> None:
    left = repo.path / "tmp/os-containers-killed"
    left.mkdir()
    (left / "object").touch()
    with object_stage(repo.path, repo.mode):
        assert not left.exists()


def test_a_stage_in_use_is_left_alone(repo: Repo) -> None:
    used = repo.path / "tmp/os-containers-used"
    used.mkdir()
    descriptor = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with object_stage(repo.path, repo.mode):
            assert used.exists()
    finally:
        os.close(descriptor)


def test_b28_an_attribute_that_the_file_system_does_not_take_is_named(repo: Repo) -> None:
    """No file system takes a value of more than 64 KiB; ext4 and a user's repo take less."""
    attributes = Attributes(xattrs=((b"user.large", bytes(70_000)),))
    with (
        object_stage(repo.path, repo.mode) as stage,
        pytest.raises(SystemFaultError, match=r"the extended attribute 'user\..* of \d+ bytes"),
    ):
        stage.write_file(attributes, [])


@as_root
def test_objects_are_made_under_the_label_of_images(repo: Repo) -> None:
    """The kernel lets them inherit it; the repo itself keeps what it has."""
    with object_stage(repo.path, repo.mode, labels=labels_like({}, of_images="ro_t")) as stage:
        assert label_of(stage.directory) == "ro_t"
    assert label_of(repo.path / "tmp") == ""
