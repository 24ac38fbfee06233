"""Pull: from a layout on disk, by the real skopeo, into the store and nowhere else."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from images import Symlink, add_blob, build_image, build_layer, raw_image, write_index, write_layout
from registry import (
    Fault,
    Registry,
    cut_off,
    other_content,
    redirect_loop,
    reset,
    running_registry,
    stall,
    status,
)
from tars import END, header

from os_containers.errors import ImageError, OsContainersError, UsageError
from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import Digest, Platform
from os_containers.image.reference import ImageReference
from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.operations.pull import pull
from os_containers.ostree.pruning import prune_repo

if TYPE_CHECKING:
    from conftest import Machine

T = TypeVar("T")

pytestmark = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")


def snapshot(top: Path, *, but: Collection[Path]) -> dict[str, tuple[object, ...]]:
    """Return all that is in a directory, with everything that a change would show in."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (top, *top.rglob("*")):
        if not {path, *path.parents} & set(but):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            fields = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_ctime_ns)
            found[str(path)] = (*fields, content)
    return found


def wait_for(find: Callable[[], T]) -> T:
    """Return what is found once there is something."""
    for _ in range(1000):
        if found := find():
            return found
        time.sleep(0.01)
    raise TimeoutError


def hostile(directory: Path, victim: Path, kind: str) -> Path:
    """Make a layout of an image that wants to reach a victim."""
    up = "/".join([".."] * len(directory.parts)) + str(victim)
    tars = {
        "good": build_layer({"/a": "1", "/etc/link": Symlink(str(victim))}),
        "up": header(f"{up}/evil"[:99].encode()) + END,
        "absolute": header(f"{victim}/evil"[-99:].encode()) + END,
        "through a symlink": build_layer({"/x": Symlink(str(victim)), "/x/evil": "evil"}),
        "whiteout": header(b"d/.wh...") + END,
        "damaged": build_layer({"/a": "1"})[:-1500] + b"x" * 600,
    }
    image = raw_image(tars[kind])
    return write_layout(directory, image.config, [tars[kind]], name="example.org/hostile:1")


def test_an_image_of_another_platform_is_warned_of(machine: "Machine", tmp_path: Path) -> None:
    """A registry, or a layout, that has one alone gives it to whoever asks for any."""
    layout = build_image(tmp_path / "layout", {"/a": "1"}, name="example.org/app:1", architecture="arm64")
    for wanted, warned in (("linux/arm64/v8", False), ("linux/amd64", True)):
        machine.events.clear()
        options = ProxyOptions(platform=Platform.parse(wanted))
        pull(machine.system, ImageReference.parse(f"oci:{layout}"), options=options)
        assert ("example.org/app:1 is made for linux/arm64 only" in " ".join(machine.told())) is warned


@pytest.mark.parametrize("kind", ["good", "up", "absolute", "through a symlink", "whiteout", "damaged"])
def test_i18_a_pull_changes_nothing_but_the_store(
    machine: "Machine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Neither the host, nor the home, nor the directory for temporary files, whatever the image is."""
    home, scratch, victim = (tmp_path / name for name in ("home", "scratch", "victim"))
    for directory in (home, scratch, victim):
        directory.mkdir()
    (victim / "hello").write_text("the host's own")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.chdir(victim)
    layout = hostile(tmp_path / "layout", victim, kind)
    machine.system.repo()
    (machine.paths.locks / "store").touch()
    ours = (machine.paths.repo.parent, scratch)
    before = snapshot(tmp_path, but=ours)
    try:
        pull(machine.system, ImageReference.parse(f"oci:{layout}"))
    except ImageError:
        assert kind != "good"
        assert machine.system.repo().images() == []
    assert snapshot(tmp_path, but=ours) == before
    assert os.listdir(scratch) == []  # noqa: PTH208 - names are enough


SLOW_SKOPEO = """#!/usr/bin/python3
import os, pathlib, socket, sys, time
options = dict(word.partition("=")[::2] for word in sys.argv)
place = pathlib.Path(options["--tmpdir"])
if os.fork():
    os.wait()
# skopeo itself is killed with us, what it has started is not
(place / "unpacked").touch()
while socket.socket(fileno=os.dup(int(options["--sockfd"]))).recv(40000):
    pass
while place.exists() and not (place / "end").exists():
    time.sleep(0.01)
"""


def test_b84_what_a_killed_pull_unpacked_goes_when_nobody_is_at_work(
    machine: "Machine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the repo's own directory, nowhere else, and nobody takes it from who still writes."""
    scratch, programs = tmp_path / "scratch", tmp_path / "programs"
    for directory in (scratch, programs):
        directory.mkdir()
    (programs / "skopeo").write_text(SLOW_SKOPEO)
    (programs / "skopeo").chmod(0o755)
    repo = machine.system.repo()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OS_CONTAINERS_CHECKOUT_PATH", str(machine.paths.state))
    monkeypatch.setenv("OSTREE_REPO", str(repo.path))
    command = [sys.executable, "-c", "from os_containers.cli.main import main; main()", "pull", "etcd"]
    with subprocess.Popen(command) as ours:
        try:
            unpacked = wait_for(lambda: list((repo.path / "tmp").glob("*/unpacked")))[0]
        finally:
            ours.kill()
    prune_repo(repo)
    assert unpacked.exists()
    (unpacked.parent / "end").touch()
    wait_for(lambda: prune_repo(repo) and not unpacked.parent.exists())
    assert os.listdir(scratch) == []  # noqa: PTH208 - names are enough


def test_b12_limits_of_the_configuration_are_those_of_a_pull(machine: "Machine", tmp_path: Path) -> None:
    """Read from config.toml; a mistake in it is told, and nothing is pulled."""
    layout = build_image(tmp_path / "layout", {"/a": "1"}, {"/b": "2"}, name="example.org/app:1")
    reference = ImageReference.parse(f"oci:{layout}")
    config = machine.paths.config_files[-1]
    config.parent.mkdir(parents=True)
    config.write_text("[limits]\nlayers = 1\n")
    with pytest.raises(ImageError, match="has 2 layers, more than 1") as caught:
        pull(machine.system, reference)
    assert (caught.value.hint or "").startswith(
        f"{config} sets this limit: raise layers under [limits] there"
    )
    config.write_text('[limits]\nlayer-size = "1KiB"\n')
    with pytest.raises(ImageError, match="unpacks to more than 1024 bytes") as caught:
        pull(machine.system, reference)
    assert (caught.value.hint or "").startswith(
        f"{config} sets this limit: raise layer-size under [limits] there"
    )
    config.write_text("[limits]\nlayer = 2\n")
    with pytest.raises(UsageError, match="'layer' is unknown"):
        pull(machine.system, reference)
    config.write_text("[limits]\nlayers = 2\n")
    assert pull(machine.system, reference).name == "example.org/app:1"


def test_b12_an_image_without_layers_can_be_pulled_but_not_installed(
    machine: "Machine", tmp_path: Path
) -> None:
    """It holds nothing that could run; nothing of the container is left."""
    layout = build_image(tmp_path / "layout", name="example.org/empty:1", cmd=["/bin/app"])
    assert pull(machine.system, ImageReference.parse(f"oci:{layout}")).layers() == ()
    before = machine.snapshot()
    with pytest.raises(ImageError, match="the image has no layers"):
        install(machine.system, "example.org/empty:1", Choices())
    assert machine.snapshot() == before
    assert list(machine.paths.staging.iterdir()) == []


@pytest.mark.parametrize(
    "damage", ["index.json", "manifest", "config", "layer", "no blobs"], ids=lambda name: f"b4-{name}"
)
def test_b4_a_layout_that_is_damaged_leaves_the_image_before_it(
    machine: "Machine", tmp_path: Path, damage: str
) -> None:
    """In any of its files."""
    build_image(tmp_path / "old", {"/version": "1"}, name="example.org/app:1")
    former = pull(machine.system, ImageReference.parse(f"oci:{tmp_path / 'old'}"))
    layout = build_image(tmp_path / "new", {"/version": "2"}, name="example.org/app:1")
    (described,) = json.loads((layout / "index.json").read_text())["manifests"]
    blobs = layout / "blobs/sha256"
    manifest = blobs / Digest(described["digest"]).hex
    named = json.loads(manifest.read_text())
    files = {
        "index.json": layout / "index.json",
        "manifest": manifest,
        "config": blobs / Digest(named["config"]["digest"]).hex,
        "layer": blobs / Digest(named["layers"][0]["digest"]).hex,
    }
    if damage == "no blobs":
        shutil.rmtree(blobs)
    else:
        files[damage].write_bytes(files[damage].read_bytes()[:-5] + b"xxxxx")
    with pytest.raises(OsContainersError) as caught:
        pull(machine.system, ImageReference.parse(f"oci:{layout}"), name="example.org/app:1")
    assert caught.value.message.isprintable()
    assert machine.system.repo().images() == [former]


def test_cve_2014_9358_no_name_of_an_image_becomes_a_path(machine: "Machine", tmp_path: Path) -> None:
    """A name inside a layout that climbs is refused; so are the ids in it."""
    layout = build_image(tmp_path / "layout", {"/a": "1"}, name="../../../etc/evil:1")
    with pytest.raises(OsContainersError):
        pull(machine.system, ImageReference.parse(f"oci:{layout}"))
    manifest = {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": "sha256:../../../../../../etc/passwd",
            "size": 10,
        },
        "layers": [],
    }
    media_type = "application/vnd.oci.image.manifest.v1+json"
    write_index(layout, [add_blob(layout, json.dumps(manifest).encode(), media_type)])
    with pytest.raises(OsContainersError):
        pull(machine.system, ImageReference.parse(f"oci:{layout}"))
    assert machine.system.repo().images() == []


FAULTS: dict[str, tuple[str, Callable[[Registry], Fault], int]] = {
    **{
        f"b16-{kind}-{code}": (kind, lambda _, code=code: status(code, headers={"Retry-After": "0"}), error)
        for kind in ("manifests", "blobs")
        for code, error in ((401, 11), (403, 11), (404, 3), (429, 11), (500, 11), (502, 11), (503, 11))
    },
    "b16-reset": ("blobs", lambda _: reset(), 11),
    "b16-reset-amid-a-layer": ("blobs", lambda _: cut_off(after=100_000), 11),
    "b16-silence": ("manifests", stall, 11),
    "b16-silence-amid-a-layer": ("blobs", lambda registry: stall(registry, after=1000), 11),
    "b16-redirect-loop": ("blobs", lambda _: redirect_loop, 11),
    "b16-content-length": ("blobs", lambda _: other_content(bytes, **{"Content-Length": "10"}), 4),
    "b1-null": ("manifests", lambda _: other_content(lambda _: b"null"), 4),
    "b4-corrupt": ("blobs", lambda _: other_content(lambda data: data[:-1] + b"x"), 4),
    "b4-truncated": ("blobs", lambda _: other_content(lambda data: data[:-100]), 4),
    "b4-longer": ("blobs", lambda _: other_content(lambda data: data + bytes(100_000)), 4),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_b16_a_registry_that_fails_leaves_the_image_before_it(
    machine: "Machine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """And each failure has the exit code of its kind, one line that can be shown, and a next step."""
    monkeypatch.setattr("os_containers.image.channel._END_TIMEOUT", 0.2)
    kind, make, code = FAULTS[fault]
    config = machine.paths.config_files[-1]
    config.parent.mkdir(parents=True)
    with running_registry() as registry:
        name = registry.serve(build_image(tmp_path / "old", {"/version": "1"}), "app:latest")
        reference, options = ImageReference.parse(f"docker://{name}"), ProxyOptions(tls_verify=False)
        former = pull(machine.system, reference, options=options)
        config.write_text("[limits]\nretry-pause = 0\nno-progress = 0.5\n")
        large = {"/version": os.urandom(1 << 20)}
        registry.serve(build_image(tmp_path / "new", large, compression="none"), "app:latest")
        registry.faults[kind] = make(registry)
        with pytest.raises(OsContainersError) as caught:
            pull(machine.system, reference, options=options)
    assert caught.value.exit_code == code, caught.value
    assert caught.value.message.isprintable()
    assert machine.system.repo().images() == [former]
    assert list((machine.paths.repo / "tmp").glob("os-containers-*")) == []
