"""From layers to an image: every layer is a real tar, the registry is a mapping of blobs."""

import contextlib
import errno
import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from os_containers import process
from os_containers.errors import ImageError, OsContainersError, RegistryError, SystemFaultError
from os_containers.events import (
    BlobFinished,
    BlobPresent,
    BlobProgressed,
    BlobStarted,
    Event,
    OnEvent,
    Warned,
    ignore,
)
from os_containers.image.failures import TransientError
from os_containers.image.limits import Limits
from os_containers.image.manifest import Digest
from os_containers.ostree.checkout import checkout
from os_containers.ostree.importer import import_image
from os_containers.ostree.pruning import prune_repo
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode

Content = bytes | tarfile.TarInfo


@dataclass
class Registry:
    """Serves one image; counts what is fetched."""

    blobs: dict[Digest, bytes]
    manifest: bytes
    config: bytes
    fetched: list[Digest] = field(default_factory=list)

    @contextlib.contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:  # noqa: ARG002 - the protocol's
        self.fetched.append(digest)
        yield io.BytesIO(self.blobs[digest])


def entry(
    kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, uid: int = 0, target: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.mode, info.uid, info.linkname = kind, mode, uid, target
    return info


def tar_of(layer: Mapping[str, Content]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in layer.items():
            info = entry() if isinstance(content, bytes) else content
            info.name = path
            info.size = len(content) if isinstance(content, bytes) else 0
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return written.getvalue()


def registry_of(*layers: Mapping[str, Content], created: str = "2024-01-02T03:04:05.123456789Z") -> Registry:
    tars = [tar_of(layer) for layer in layers]
    blobs = [gzip.compress(tar, mtime=0) for tar in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(tar) for tar in tars]},
    }
    config_raw = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "config": descriptor(config_raw, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(blob, "application/vnd.oci.image.layer.v1.tar+gzip") for blob in blobs],
    }
    return Registry(
        blobs={Digest.of(blob): blob for blob in blobs},
        manifest=json.dumps(manifest).encode(),
        config=config_raw,
    )


def descriptor(content: bytes, media_type: str) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": Digest.of(content), "size": len(content)}


def pull(
    repo: Repo, registry: Registry, name: str = "image", *, on_event: OnEvent = ignore, seconds: float = 60
) -> StoredImage:
    return import_image(
        repo,
        registry,
        manifest_digest=Digest.of(registry.manifest),
        manifest_raw=registry.manifest,
        config_raw=registry.config,
        name=name,
        limits=Limits(retry_pause=0.0),
        on_event=on_event,
        seconds=seconds,
    )


def rootfs_of(repo: Repo, image: StoredImage, path: Path) -> dict[str, str]:
    """Check an image out and return its files by path; a symlink shows its target."""
    checkout(repo, image.commit, path)
    return {
        str(one.relative_to(path)): f"-> {one.readlink()}" if one.is_symlink() else one.read_text()
        for one in path.rglob("*")
        if one.is_symlink() or one.is_file()
    }


def objects(repo: Repo) -> set[Path]:
    return set((repo.path / "objects").glob("*/*"))


BASE: Mapping[str, Content] = {"etc/config": b"base", "usr/bin/tool": b"tool", "old": b"old"}
TOP: Mapping[str, Content] = {
    "etc/config": b"top",
    ".wh.old": b"",
    "link": entry(tarfile.SYMTYPE, target="etc/config"),
}


def test_an_image_is_its_layers_on_top_of_each_other(repo: Repo, tmp_path: Path) -> None:
    image = pull(repo, registry_of(BASE, TOP))
    assert rootfs_of(repo, image, tmp_path / "rootfs") == {
        "etc/config": "top",
        "usr/bin/tool": "tool",
        "link": "-> etc/config",
    }
    assert image.size == len(b"base" + b"tool" + b"old" + b"top")
    assert process.run(["ostree", "fsck", f"--repo={repo.path}"]).returncode == 0


def test_layers_are_remembered_with_their_sizes(repo: Repo) -> None:
    image = pull(repo, registry_of(BASE, TOP))
    expected = [(layer.digest, layer.size) for layer in image.layers()]
    assert sorted(expected) == [(layer.digest, layer.size) for layer in repo.layers()]
    assert sorted(layer.unpacked for layer in repo.layers()) == [3, 11]


def test_the_same_image_gives_the_same_commit(repo: Repo, tmp_path: Path) -> None:
    other = Repo.open(tmp_path / "other", repo.mode)
    assert pull(repo, registry_of(BASE, TOP)).commit == pull(other, registry_of(BASE, TOP)).commit


def test_a_second_pull_fetches_and_writes_nothing(repo: Repo) -> None:
    registry = registry_of(BASE, TOP)
    first = pull(repo, registry)
    before = objects(repo)
    events: list[Event] = []
    again = pull(repo, registry, "another", on_event=events.append)
    assert again.commit == first.commit
    assert len(registry.fetched) == 2
    assert objects(repo) == before
    assert events == [BlobPresent(layer.digest, "layer") for layer in first.layers()]


def test_a_layer_that_is_here_is_not_fetched_again(repo: Repo, tmp_path: Path) -> None:
    pull(repo, registry_of(BASE))
    registry = registry_of(BASE, TOP)
    image = pull(repo, registry, "newer")
    assert registry.fetched == [image.layers()[1].digest]
    assert rootfs_of(repo, image, tmp_path / "rootfs")["etc/config"] == "top"
    assert image.size == 14


def test_the_import_of_a_layer_is_told(repo: Repo) -> None:
    events: list[Event] = []
    registry = registry_of(BASE)
    (layer,) = pull(repo, registry, on_event=events.append).layers()
    assert events == [
        BlobStarted(layer.digest, layer.size, "layer"),
        BlobProgressed(layer.digest, layer.size),
        BlobFinished(layer.digest),
    ]


def test_b26_b41_what_was_left_out_or_said_twice_is_warned_of(repo: Repo) -> None:
    events: list[Event] = []
    pull(
        repo,
        registry_of({"dev/null": entry(tarfile.CHRTYPE), "a": b"1", "./a": b"2"}),
        on_event=events.append,
    )
    warnings = [event.text.partition(": ")[2] for event in events if isinstance(event, Warned)]
    assert warnings == [
        "1 device nodes and other special files were left out",
        "1 paths occur more than once, the last one counts",
    ]


def test_b12_an_image_without_layers_and_one_with_a_layer_twice(repo: Repo, tmp_path: Path) -> None:
    assert rootfs_of(repo, pull(repo, registry_of(), "none"), tmp_path / "none") == {}
    twice = registry_of(BASE, TOP, BASE)
    assert rootfs_of(repo, pull(repo, twice, "twice"), tmp_path / "twice")["old"] == "old"
    assert len(twice.fetched) == 2


def test_an_interrupted_pull_goes_on_with_the_layer_that_was_missing(repo: Repo, tmp_path: Path) -> None:
    former = pull(repo, registry_of({"former": b""}))
    registry = registry_of(BASE, TOP)
    base, top = registry.blobs
    interrupted = replace(registry, blobs={base: registry.blobs[base], top: b""})
    with pytest.raises(ImageError):
        pull(repo, interrupted)
    assert repo.image("image") == former
    image = pull(repo, registry)
    assert registry.fetched == [base, top, top]
    assert rootfs_of(repo, image, tmp_path / "rootfs")["etc/config"] == "top"
    assert image.size == 14


@pytest.mark.parametrize(("seconds", "kept"), [(0, [0, 1, 2]), (60, [0, 0, 0])])
def test_layers_are_made_durable_every_few_seconds(repo: Repo, seconds: float, kept: list[int]) -> None:
    """How many there are when the next has been fetched; in the end all of them."""
    layers = ({"a": b"1"}, {"b": b"2"}, {"c": b"3"})
    seen: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, BlobFinished):
            seen.append(len(repo.layers()))

    pull(repo, registry_of(*layers), on_event=look, seconds=seconds)
    assert seen == kept
    assert len(repo.layers()) == 3


@dataclass
class OnBadDisk(Registry):
    """A registry whose second layer cannot be taken in."""

    @contextlib.contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:
        if self.fetched:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with super().blob(digest, size) as file:
            yield file


def test_b80_what_was_whole_before_the_disk_failed_is_kept(repo: Repo) -> None:
    """Who makes room need not fetch it again."""
    given = registry_of(BASE, TOP)
    with pytest.raises(SystemFaultError, match="No space left"):
        pull(repo, OnBadDisk(given.blobs, given.manifest, given.config))
    (base,) = repo.layers()
    assert base.digest == next(iter(given.blobs))
    assert repo.images() == []


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param({"a": entry(tarfile.SYMTYPE, target="/tmp"), "a/b": b""}, id="B23"),
        pytest.param({"a": entry(tarfile.LNKTYPE, target="b")}, id="B25 missing"),
        pytest.param({"a": entry(tarfile.LNKTYPE, target="../b")}, id="B25 outside"),
        pytest.param({"../a": b""}, id="B22"),
        pytest.param({"dev": entry(tarfile.SYMTYPE, target="/tmp")}, id="dev"),
        *(pytest.param({name: b""}, id=f"B31 {name}") for name in (".wh.", ".wh..", ".wh...", ".wh./x")),
        pytest.param({".wh.a": entry(tarfile.DIRTYPE)}, id="B32 directory"),
        pytest.param({".wh.a": entry(tarfile.SYMTYPE, target="x")}, id="B32 symlink"),
        pytest.param({"b": b"", ".wh.a": entry(tarfile.LNKTYPE, target="b")}, id="B32 hard link"),
        pytest.param({"n" * 256: b""}, id="B38"),
    ],
)
def test_a_hostile_layer_leaves_nothing(repo: Repo, layer: Mapping[str, Content]) -> None:
    with pytest.raises(ImageError):
        pull(repo, registry_of(layer, BASE))
    assert repo.images() == []
    assert repo.layers() == []
    assert objects(repo) == set()
    assert list((repo.path / "tmp").glob("os-containers-*")) == []


@pytest.mark.parametrize("served", [slice(0), slice(-9), slice(1, None)])
def test_b4_a_corrupt_blob_leaves_nothing(repo: Repo, served: slice) -> None:
    registry = registry_of(BASE, TOP)
    registry.blobs = {digest: blob[served] for digest, blob in registry.blobs.items()}
    with pytest.raises(ImageError):
        pull(repo, registry)
    assert objects(repo) == set()


@dataclass
class Flaky(Registry):
    """A registry whose connection breaks amid the first blobs."""

    breaks: int = 0

    @contextlib.contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[BinaryIO]:
        with super().blob(digest, size) as file:
            if self.breaks:
                self.breaks -= 1
                file.read(10)
                raise TransientError("connection reset by peer", hint="try again")
            yield file


@pytest.mark.parametrize(("breaks", "fetched"), [(1, 2), (3, 4), (4, 4)])
def test_b16_a_layer_that_breaks_off_is_fetched_again(repo: Repo, breaks: int, fetched: int) -> None:
    """Three times, and what came before is forgotten; then it is told."""
    given = registry_of(BASE)
    registry = Flaky(given.blobs, given.manifest, given.config, breaks=breaks)
    if breaks > 3:
        with pytest.raises(RegistryError, match="reset") as caught:
            pull(repo, registry)
        assert type(caught.value) is RegistryError
        assert objects(repo) == set()
    else:
        assert pull(repo, registry).size == 11
    assert len(registry.fetched) == fetched
    assert list((repo.path / "tmp").glob("os-containers-*")) == []


def test_b4_a_blob_that_is_longer_leaves_nothing(repo: Repo) -> None:
    registry = registry_of(BASE)
    registry.blobs = {digest: blob + b"x" for digest, blob in registry.blobs.items()}
    with pytest.raises(ImageError):
        pull(repo, registry)
    assert objects(repo) == set()


def test_b6_a_config_that_is_not_the_manifests_is_refused(repo: Repo) -> None:
    registry = registry_of(BASE)
    registry.config += b" "
    with pytest.raises(ImageError, match="does not have the digest"):
        pull(repo, registry)


def test_b6_a_layer_that_is_here_must_have_the_diff_id_too(repo: Repo) -> None:
    good, lying = registry_of(BASE), registry_of(BASE)
    pull(repo, good)
    (layer,) = repo.image("image").layers()
    lying.config = lying.config.replace(layer.diff_id.encode(), b"sha256:" + b"0" * 64)
    manifest = json.loads(lying.manifest)
    manifest["config"] = descriptor(lying.config, manifest["config"]["mediaType"])
    lying.manifest = json.dumps(manifest).encode()
    with pytest.raises(ImageError, match="has the diff_id"):
        pull(repo, lying)


def test_b24_a_symlink_of_a_lower_layer_leads_nowhere(repo: Repo, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    lower = {"etc": entry(tarfile.SYMTYPE, target=str(victim))}
    image = pull(repo, registry_of(lower, {"etc/evil": b"evil"}))
    assert rootfs_of(repo, image, tmp_path / "rootfs") == {"etc/evil": "evil"}
    assert list(victim.iterdir()) == []


def test_b25_hard_links_share_a_file(repo: Repo, tmp_path: Path) -> None:
    link = {"b": entry(tarfile.LNKTYPE, target="a"), "c": entry(tarfile.LNKTYPE, target="a")}
    layer: Mapping[str, Content] = {"b": link["b"], "a": b"1", "c": link["c"]}
    image = pull(repo, registry_of(layer))
    assert rootfs_of(repo, image, tmp_path / "rootfs") == {"a": "1", "b": "1", "c": "1"}


def test_b43_modes_and_owners(repo: Repo, tmp_path: Path) -> None:
    layer = {
        "d": entry(tarfile.DIRTYPE, mode=0o000),
        "d/f": entry(mode=0o4000, uid=7),
        "implied/f": entry(mode=0o600),
    }
    checkout(repo, pull(repo, registry_of(layer)).commit, tmp_path / "rootfs")
    found = {path: (tmp_path / "rootfs" / path).stat() for path in ("d", "d/f", "implied")}
    modes = {path: oct(status.st_mode & 0o7777) for path, status in found.items()}
    if repo.mode is Mode.SYSTEM:
        assert modes == {"d": "0o0", "d/f": "0o4000", "implied": "0o755"}
        assert found["d/f"].st_uid == 7
    else:
        assert modes == {"d": "0o700", "d/f": "0o400", "implied": "0o755"}


def test_b35_an_implied_directory_says_nothing_also_after_it_was_stored(repo: Repo, tmp_path: Path) -> None:
    lower = {"d": entry(tarfile.DIRTYPE, mode=0o700)}
    upper = {"d/f": b"1"}
    pull(repo, registry_of(lower), "lower")
    pull(repo, registry_of(upper), "upper")
    registry = registry_of(lower, upper)
    checkout(repo, pull(repo, registry).commit, tmp_path / "rootfs")
    assert registry.fetched == []
    assert (tmp_path / "rootfs/d").stat().st_mode & 0o777 == 0o700


def test_b29_whiteouts_work_also_after_they_were_stored(repo: Repo, tmp_path: Path) -> None:
    pull(repo, registry_of(BASE), "lower")
    pull(repo, registry_of(TOP), "upper")
    registry = registry_of(BASE, TOP)
    image = pull(repo, registry)
    assert registry.fetched == []
    assert "old" not in rootfs_of(repo, image, tmp_path / "rootfs")


@pytest.mark.parametrize("created", ["", "garbage", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_b86_created_is_only_a_label(repo: Repo, created: str) -> None:
    assert pull(repo, registry_of(BASE, created=created)).size == 11


@pytest.mark.parametrize("kind", ["file", "dirtree", "dirmeta", "commit"])
def test_b94_a_pull_heals_what_is_missing(repo: Repo, tmp_path: Path, kind: str) -> None:
    registry = registry_of(BASE, TOP)
    pull(repo, registry)
    for lost in (repo.path / "objects").glob(f"*/*.{kind}"):
        lost.unlink()
    image = pull(repo, registry)
    assert rootfs_of(repo, image, tmp_path / "rootfs")["etc/config"] == "top"
    assert process.run(["ostree", "fsck", f"--repo={repo.path}"]).returncode == 0


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_b94_a_pull_heals_damaged_refs(repo: Repo, tmp_path: Path, content: bytes) -> None:
    registry = registry_of(BASE, TOP)
    pull(repo, registry)
    for ref in (repo.path / "refs/heads/ociimage").iterdir():
        ref.write_bytes(content)
    assert rootfs_of(repo, pull(repo, registry), tmp_path / "rootfs")["etc/config"] == "top"


def test_prune_keeps_what_images_and_pins_need(repo: Repo, tmp_path: Path) -> None:
    image = pull(repo, registry_of(BASE, TOP), "kept")
    pinned = pull(repo, registry_of(TOP, BASE), "pinned")
    repo.pins.add("service", 1, pinned.commit)
    pull(repo, registry_of({"only": b"here"}), "gone")
    repo.delete_image("pinned")
    repo.delete_image("gone")
    pruned = prune_repo(repo)
    assert len(pruned.refs) == 2
    assert [one.name for one in repo.images()] == ["kept"]
    assert all(repo.has_blob(layer.digest) for layer in image.layers())
    checkout(repo, pinned.commit, tmp_path / "rootfs")
    assert process.run(["ostree", "fsck", f"--repo={repo.path}"]).returncode == 0


def test_many_layers_keep_their_order(repo: Repo, tmp_path: Path) -> None:
    layers: Sequence[Mapping[str, Content]] = [{"f": b"%d" % number} for number in range(20)]
    assert rootfs_of(repo, pull(repo, registry_of(*layers)), tmp_path / "rootfs") == {"f": "19"}


def test_a_failing_listener_stops_the_import(repo: Repo) -> None:
    def refuse(event: Event) -> None:
        raise OsContainersError(str(event))

    with pytest.raises(OsContainersError):
        pull(repo, registry_of(BASE, TOP), on_event=refuse)
    assert objects(repo) == set()
