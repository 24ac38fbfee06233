import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from os_containers.errors import (
    BrokenError,
    ConflictError,
    NotFoundError,
    OsContainersError,
    SystemFaultError,
)
from os_containers.image.manifest import Digest
from os_containers.ostree.checkout import checkout
from os_containers.ostree.formats import Attributes
from os_containers.ostree.pruning import prune_repo
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import image_metadata
from os_containers.ostree.tree import Directory
from os_containers.ostree.verification import damaged_in_tree
from os_containers.paths import Mode

CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
MANIFEST = (
    b'{"schemaVersion": 2, "layers": [], "config": {"size": %d, "digest": "%s",'
    b' "mediaType": "application/vnd.oci.image.config.v1+json"}}'
) % (len(CONFIG), Digest.of(CONFIG).encode())


def commit_image(repo: Repo, files: dict[str, bytes]) -> str:
    """Write the merged commit of an image without layers and return its checksum."""
    with repo.transaction() as transaction:
        writer = transaction.objects
        tree = {name: writer.write_file(Attributes(), [content]) for name, content in files.items()}
        metadata = image_metadata(Digest.of(MANIFEST), MANIFEST, CONFIG, 5)
        return transaction.write_commit(writer.write_tree(Directory(files=tree)), metadata)


def test_an_image_is_found_by_its_name(repo: Repo) -> None:
    commit = commit_image(repo, {"f": b"hello"})
    repo.set_image("quay.io/etcd:3", commit)
    image = repo.image("quay.io/etcd:3")
    assert (image.name, image.commit, image.digest) == ("quay.io/etcd:3", commit, Digest.of(MANIFEST))
    assert (image.manifest, image.config, image.size) == (MANIFEST, CONFIG, 5)
    assert image.image_config().architecture == "amd64"
    assert repo.images() == [image]


def test_an_image_that_is_not_there_is_told(repo: Repo) -> None:
    assert repo.find_image("x") is None
    for ask in (repo.image, repo.delete_image):
        with pytest.raises(NotFoundError, match="no image named x"):
            ask("x")


def test_a_deleted_image_goes_with_the_next_prune(repo: Repo) -> None:
    repo.set_image("x", commit_image(repo, {"f": b"hello"}))
    repo.delete_image("x")
    pruned = prune_repo(repo)
    assert repo.images() == []
    assert pruned.objects == 4
    assert pruned.bytes > 0


def test_a_pinned_commit_stays(repo: Repo, tmp_path: Path) -> None:
    commit = commit_image(repo, {"f": b"hello"})
    repo.pins.add("etcd", 17, commit)
    assert repo.pins.commits() == {("etcd", 17): commit}
    prune_repo(repo)
    checkout(repo, commit, tmp_path / "rootfs")
    assert (tmp_path / "rootfs/f").read_text() == "hello"
    repo.pins.remove("etcd", 17)
    repo.pins.remove("etcd", 17)
    assert repo.pins.commits() == {}
    assert prune_repo(repo).objects == 4


def test_b94_a_damaged_image_hides_no_other(repo: Repo) -> None:
    commit = commit_image(repo, {"f": b"hello"})
    repo.set_image("good", commit)
    for name, content in (("empty", ""), ("garbage", "x" * 64), ("nowhere", "0" * 64)):
        (repo.path / "refs/heads/ociimage" / name).write_text(content)
        with pytest.raises(BrokenError):
            repo.find_image(name)
    assert [image.name for image in repo.images()] == ["good"]


@pytest.mark.parametrize("content", ["", "garbage", "0" * 64])
def test_b94_an_image_whose_ref_is_damaged_can_be_deleted(repo: Repo, content: str) -> None:
    repo.set_image("x", commit_image(repo, {"f": b"hello"}))
    (repo.path / "refs/heads/ociimage/x").write_text(content)
    repo.delete_image("x")
    assert repo.find_image("x") is None
    assert prune_repo(repo).objects == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:-40],
        lambda data: data.replace(b"sha256", b"sha255"),
        lambda data: data.replace(b"schemaVersion", b"schemaVersio\xff"),
    ],
)
def test_b93_an_image_whose_commit_is_damaged_hides_no_other_and_can_be_deleted(
    repo: Repo, damage: Callable[[bytes], bytes]
) -> None:
    repo.set_image("good", commit_image(repo, {"f": b"hello"}))
    repo.set_image("bad", commit_image(repo, {"f": b"other"}))
    commit = repo.image("bad").commit
    path = repo.path / "objects" / commit[:2] / f"{commit[2:]}.commit"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BrokenError, match=commit):
        repo.image("bad")
    assert [image.name for image in repo.images()] == ["good"]
    with pytest.raises(BrokenError):
        prune_repo(repo)
    repo.delete_image("bad")
    assert repo.find_image("bad") is None


@pytest.mark.parametrize("content", ["", "x" * 64, "0" * 64])
@pytest.mark.parametrize("ref", ["ociimage/bad", "os-containers/deploy/etcd/1"])
def test_b94_prune_removes_nothing_while_an_image_or_pin_is_damaged(
    repo: Repo, ref: str, content: str
) -> None:
    repo.set_image("good", commit_image(repo, {"f": b"hello"}))
    unneeded = f"ociimage/{'a' * 64}"
    before = sorted((repo.path / "objects").glob("*/*"))
    for one, commit in ((unneeded, repo.image("good").commit), (ref, content)):
        (repo.path / "refs/heads" / one).parent.mkdir(parents=True, exist_ok=True)
        (repo.path / "refs/heads" / one).write_text(commit)
    with pytest.raises(BrokenError):
        prune_repo(repo)
    assert (repo.path / "refs/heads" / unneeded).exists()
    assert sorted((repo.path / "objects").glob("*/*")) == before


def test_a_checkout_is_made_of_hard_links(repo: Repo, tmp_path: Path) -> None:
    commit = commit_image(repo, {"f": b"hello"})
    checkout(repo, commit, tmp_path / "rootfs")
    assert (tmp_path / "rootfs/f").stat().st_nlink == 2


def test_a_checkout_never_adds_to_a_directory(repo: Repo, tmp_path: Path) -> None:
    commit = commit_image(repo, {"f": b"hello"})
    (tmp_path / "rootfs").mkdir()
    with pytest.raises(ConflictError):
        checkout(repo, commit, tmp_path / "rootfs")


def test_a_checkout_of_a_layer_is_refused(repo: Repo, tmp_path: Path) -> None:
    with repo.transaction() as transaction:
        commit = transaction.write_commit(transaction.objects.write_tree(Directory()), {})
    with pytest.raises(BrokenError, match="not a merged image"):
        checkout(repo, commit, tmp_path / "rootfs")


def _objects(repo: Repo, kind: str) -> list[Path]:
    return sorted((repo.path / "objects").glob(f"*/*.{kind}"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file is missing": ("file", Path.unlink),
    "a file has a flipped bit": ("file", _flip),
    "a file is empty": ("file", lambda path: path.write_bytes(b"")),
    "a file is longer": ("file", lambda path: path.write_bytes(b"hello, world")),
    "a file has another mode": ("file", lambda path: path.chmod(0o600)),
    "a file is a fifo": ("file", lambda path: (path.unlink(), os.mkfifo(path))),
    "a file is a directory": ("file", lambda path: (path.unlink(), path.mkdir())),
    "a dirtree is missing": ("dirtree", Path.unlink),
    "a dirtree has a flipped bit": ("dirtree", _flip),
    "a dirtree is truncated": ("dirtree", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "a dirmeta is missing": ("dirmeta", Path.unlink),
    "a dirmeta has a flipped bit": ("dirmeta", _flip),
    "the commit is truncated": ("commit", lambda path: path.write_bytes(path.read_bytes()[:-40])),
    "the commit is missing": ("commit", Path.unlink),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_b93_a_checkout_never_yields_what_was_not_pulled(repo: Repo, tmp_path: Path, damage: str) -> None:
    """Not one file of it is there, and an image that needs nothing of the damage is checked out."""
    kind, inflict = DAMAGES[damage]
    bad = commit_image(repo, {"f": b"hello"})
    damaged = _objects(repo, kind)[0]
    inflict(damaged)
    with pytest.raises(OsContainersError) as caught:
        checkout(repo, bad, tmp_path / "rootfs")
    assert isinstance(caught.value, BrokenError)
    assert caught.value.hint
    assert not (tmp_path / "rootfs").exists()
    if kind == "file":
        assert damaged_in_tree(repo.path, repo.mode, repo.tree(bad)) == [
            f"{damaged.parent.name}{damaged.name}"
        ]
        good = commit_image(repo, {"g": b"world"})
        checkout(repo, good, tmp_path / "good")
        assert (tmp_path / "good/g").read_text() == "world"


def test_the_repo_is_made_when_there_is_none(tmp_path: Path, mode: Mode) -> None:
    Repo.open(tmp_path / "a/b/repo", mode)
    Repo.open(tmp_path / "a/b/repo", mode)
    assert [one.name for one in (tmp_path / "a/b").iterdir()] == ["repo"]


@pytest.mark.parametrize("left", [[], ["objects"], ["objects", "tmp", "refs/heads", ".lock"]])
def test_b95_half_a_repo_is_redone(tmp_path: Path, mode: Mode, left: list[str]) -> None:
    (tmp_path / "repo").mkdir()
    for one in left:
        (tmp_path / "repo" / one).mkdir(parents=True)
    assert Repo.open(tmp_path / "repo", mode).images() == []


@pytest.mark.parametrize("present", ["photo.jpeg", "objects/ab/cd.file"])
def test_b95_what_is_not_ours_is_left_alone(tmp_path: Path, mode: Mode, present: str) -> None:
    path = tmp_path / "repo" / present
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(SystemFaultError, match="is in the way"):
        Repo.open(tmp_path / "repo", mode)
    assert path.exists()


def test_b95_a_repo_of_the_other_mode_is_refused(repo: Repo) -> None:
    other = Mode.USER if repo.mode is Mode.SYSTEM else Mode.SYSTEM
    with pytest.raises(SystemFaultError, match="does not have the mode bare"):
        Repo.open(repo.path, other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_b95_a_repo_of_somebody_else_is_refused(repo: Repo) -> None:
    os.chown(repo.path, 1000, -1)
    with pytest.raises(SystemFaultError, match="belongs to user 1000, not to 0") as caught:
        Repo.open(repo.path, repo.mode)
    assert "OSTREE_REPO" in str(caught.value.hint)


def test_b95_a_newer_repo_is_refused(repo: Repo) -> None:
    config = repo.path / "config"
    config.write_text(config.read_text().replace("repo_version=1", "repo_version=2"))
    with pytest.raises(SystemFaultError, match="cannot open the repo"):
        Repo.open(repo.path, repo.mode)


def test_b98_an_image_of_the_predecessor_asks_for_a_pull(repo: Repo) -> None:
    with repo.transaction() as transaction:
        metadata = {"docker.manifest": MANIFEST.decode(), "docker.digest": Digest.of(MANIFEST)}
        commit = transaction.write_commit(transaction.objects.write_tree(Directory()), metadata)
        transaction.set_ref("ociimage/old", commit)
    with pytest.raises(BrokenError) as raised:
        repo.image("old")
    assert raised.value.hint == "pull the image again"


def test_a_repo_that_vanished_is_told(repo: Repo) -> None:
    shutil.rmtree(repo.path)
    with pytest.raises(OsContainersError), repo.transaction():
        pass


def test_b84_a_killed_creation_is_made_up_for(tmp_path: Path, mode: Mode) -> None:
    (tmp_path / ".os-containers-repo/objects").mkdir(parents=True)
    Repo.open(tmp_path / "repo", mode)
    assert [one.name for one in tmp_path.iterdir()] == ["repo"]


def test_i16_the_last_pin_of_a_container_takes_its_directory_along(repo: Repo) -> None:
    """Others stay with theirs; a pin that is not there is fine."""
    for container, serial in (("app", 1), ("app", 2), ("other", 1)):
        repo.pins.add(container, serial, "a" * 64)
    pins = repo.path / "refs/heads/os-containers/deploy"
    repo.pins.remove("app", 1)
    assert sorted(one.name for one in pins.iterdir()) == ["app", "other"]
    for serial in (2, 3):
        repo.pins.remove("app", serial)
    assert [one.name for one in pins.iterdir()] == ["other"]
    assert repo.pins.names() == [("other", 1)]


def test_b84_prune_removes_what_a_killed_writer_of_refs_left(repo: Repo) -> None:
    left = repo.path / "tmp/.os-containers-0123456789abcdef"
    left.touch()
    prune_repo(repo)
    assert not left.exists()
