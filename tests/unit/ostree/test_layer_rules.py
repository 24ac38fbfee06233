"""Whole images, made up by hypothesis, against a naive model of the layer rules and against `umoci unpack`.

The model holds a file system as a dict from path to node and applies one layer after the other, as layer.md
of the OCI image specification says it in words. EXAMPLES=20000 tries more of them than `make unit` does.
"""

import io
import json
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import FakeSource, write_layout

from os_containers.errors import ImageError
from os_containers.events import ignore
from os_containers.image.limits import DEFAULT_LIMITS
from os_containers.image.manifest import Digest
from os_containers.image.tar import TarReader
from os_containers.ostree.checkout import checkout
from os_containers.ostree.importer import import_image
from os_containers.ostree.layer_import import stage_layer
from os_containers.ostree.merge import merge
from os_containers.ostree.object_stage import ObjectStage, object_stage
from os_containers.ostree.objects import ORDINARY, path_in_objects
from os_containers.ostree.repo import Repo
from os_containers.ostree.tree import Directory
from os_containers.paths import Mode

EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
ROOT = os.geteuid() == 0

FILE, DIRECTORY, SYMLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
HARD_LINK, FIFO = tarfile.LNKTYPE, tarfile.FIFOTYPE
WHITEOUT, OPAQUE = b"whiteout", b"opaque"


@dataclass(frozen=True)
class Node:
    """What is at a path; an entry of a tar has the path, too. implied: only the path of another says so."""

    kind: bytes
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    content: bytes = b""  # also where a link points
    implied: bool = False


@dataclass(frozen=True)
class Entry:
    path: str
    node: Node
    spelling: str = "{}"


Layer = Sequence[Entry]
Nodes = dict[str, Node]

IMPLIED = Node(DIRECTORY, implied=True)


class RefusedError(Exception):
    """The layer contradicts itself; our reader must say so, too."""


# the naive model


def model(layers: Sequence[Layer]) -> Nodes:
    """Return what layers make, lowest first."""
    made: Nodes = {"": replace(IMPLIED)}
    for layer in layers:
        apply(made, nodes_of(layer))
    return made


def nodes_of(layer: Layer) -> Nodes:
    """Return the nodes of one layer, its whiteouts among them; the last of a path counts."""
    nodes: Nodes = {}
    late = []
    for entry in layer:
        node = entry.node
        if node.kind == HARD_LINK:
            found = nodes.get(node.content.decode())
            if found is None or found.kind not in {FILE, SYMLINK}:
                late.append(entry)
                continue
            node = found
        put(nodes, entry.path, node)
    for entry in late:
        found = nodes.get(entry.node.content.decode())
        if found is None or found.kind not in {FILE, SYMLINK}:
            raise RefusedError(entry)
        put(nodes, entry.path, found)
    return nodes


def put(nodes: Nodes, path: str, node: Node) -> None:
    for parent in parents(path):
        if nodes.setdefault(parent, IMPLIED).kind != DIRECTORY:
            raise RefusedError(path)
    if node.kind != DIRECTORY and beneath(nodes, path):
        raise RefusedError(path)
    nodes[path] = node


def apply(made: Nodes, layer: Nodes) -> None:
    """Change a file system as a layer says: first what it hides, then what it has."""
    for path, node in layer.items():
        directory = path.rpartition("/")[0]
        if node.kind == WHITEOUT:
            remove(made, f"{directory}/{path.rpartition('/')[2].removeprefix('.wh.')}".lstrip("/"))
        elif node.kind == OPAQUE:
            for hidden in beneath(made, directory):
                del made[hidden]
    for path in sorted(layer, key=lambda one: one.count("/")):
        node = layer[path]
        if node.kind == DIRECTORY:
            if path not in made or made[path].kind != DIRECTORY or not node.implied:
                made[path] = node
        elif node.kind in {FILE, SYMLINK}:
            remove(made, path)
            made[path] = node


def remove(made: Nodes, path: str) -> None:
    for hidden in [path, *beneath(made, path)]:
        made.pop(hidden, None)


def parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["", *("/".join(parts[:count]) for count in range(1, len(parts)))] if path else []


def beneath(nodes: Nodes, path: str) -> list[str]:
    return [one for one in nodes if one and (one.startswith(f"{path}/") or not path)]


# what hypothesis makes up

PLAIN = ["a", "b", "c"]
ODD = ["-a", "+a", " a", "#a", "a\nb", "...", ".wh", "a.wh.b", "é", "'$(a)\"", "\x1b[2J", "n" * 255]
NAMES = st.sampled_from(PLAIN * 8 + ODD)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
# Usually a user can read and remove what umoci unpacked; owners are compared where root can give files away.
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, *([0, 0o111] if ROOT else [])])
OWNERS = st.sampled_from([0, 0, 0, 7, 65534, 2**32 - 2])
TARGETS = st.sampled_from([b"a", b"../../a", b"/a/b", b"/etc/passwd", b".", b"a" * 300, "é".encode()])
CONTENTS = st.sampled_from([b"", b"1", b"2", b"3" * 513])
SPELLINGS = st.sampled_from(["{}", "{}", "./{}", "/{}", ".//{}"])


@st.composite
def entries(draw: st.DrawFn, kind: bytes, linkable: Sequence[str]) -> Entry:
    path = draw(PATHS)
    directory, _, name = path.rpartition("/")
    if kind == WHITEOUT:
        return Entry(f"{directory}/.wh.{name[:251]}".lstrip("/"), Node(kind))
    if kind == OPAQUE:
        return Entry(f"{directory}/.wh..wh..opq".lstrip("/"), Node(kind))
    if kind == DIRECTORY and draw(st.integers(0, 9)) == 0:
        path = ""
    content = {
        FILE: CONTENTS,
        SYMLINK: TARGETS,
        HARD_LINK: st.sampled_from([*linkable, *linkable, *linkable, path]).map(str.encode),
    }.get(kind, st.just(b""))
    mode = 0o777 if kind == SYMLINK else draw(MODES) | (0o700 if kind == DIRECTORY and not ROOT else 0)
    node = Node(kind, mode, draw(OWNERS), draw(OWNERS), draw(content))
    return Entry(path, node, draw(SPELLINGS) if path else "./")


@st.composite
def layers_of(draw: st.DrawFn, kinds: Sequence[bytes], *, consistent: st.SearchStrategy[bool]) -> list[Entry]:
    """Make up a layer; a consistent one has no entry that contradicts the former."""
    layer: list[Entry] = []
    drop = draw(consistent)
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=8)):
        linkable = [entry.path for entry in layer if entry.node.kind in {FILE, SYMLINK, HARD_LINK}]
        layer.append(draw(entries(kind, linkable)))
        if drop and contradicts_itself(layer):
            layer.pop()
    return layer


def contradicts_itself(layer: Layer) -> bool:
    try:
        nodes_of(layer)
    except RefusedError:
        return True
    return False


KINDS = [FILE, FILE, FILE, DIRECTORY, DIRECTORY, SYMLINK, HARD_LINK, WHITEOUT, WHITEOUT, OPAQUE]
ANY = st.lists(
    layers_of([*KINDS, FIFO], consistent=st.sampled_from([True, True, True, False])), min_size=1, max_size=4
)
CONSISTENT = st.lists(layers_of(KINDS, consistent=st.just(True)), min_size=1, max_size=4)  # noqa: FBT003


def tar_of(layer: Layer) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in layer:
            node = entry.node
            header = tarfile.TarInfo(entry.spelling.format(entry.path))
            header.mode, header.uid, header.gid = node.mode, node.uid, node.gid
            header.type = FILE if node.kind in {WHITEOUT, OPAQUE} else node.kind
            header.linkname = node.content.decode() if node.kind in {SYMLINK, HARD_LINK} else ""
            header.size = len(node.content) if node.kind == FILE else 0
            tar.addfile(header, io.BytesIO(node.content))
    return written.getvalue()


# what our own code makes of it


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStage]:
    """Yield a stage that keeps every object, as a user's repo does: with owner and mode written down."""
    repo = tmp_path_factory.mktemp("repo")
    for inner in ("objects", "tmp"):
        (repo / inner).mkdir()
    with object_stage(repo, Mode.USER) as stage:
        yield stage


def imported(objects: ObjectStage, layers: Sequence[Layer]) -> Nodes:
    staged = [stage_layer(objects, TarReader(io.BytesIO(tar_of(layer)))) for layer in layers]
    return dict(read_back(objects.directory, merge(layer.root for layer in staged), ""))


def read_back(stage: Path, directory: Directory, path: str) -> Iterator[tuple[str, Node]]:
    meta = (stage / path_in_objects(f"{directory.meta}.dirmeta")).read_bytes() if directory.meta else ORDINARY
    yield path, Node(DIRECTORY, *attributes_in(meta))
    prefix = f"{path}/" if path else ""
    for name, checksum in directory.files.items():
        file = stage / path_in_objects(f"{checksum}.file")
        meta = os.getxattr(file, "user.ostreemeta")
        content = file.read_bytes()
        kind = SYMLINK if stat.S_ISLNK(struct.unpack_from(">III", meta)[2]) else FILE
        yield f"{prefix}{name}", Node(kind, *attributes_in(meta), content.removesuffix(b"\0"))
    for name, inner in directory.directories.items():
        yield from read_back(stage, inner, f"{prefix}{name}")


def attributes_in(meta: bytes) -> tuple[int, int, int]:
    uid, gid, mode = struct.unpack_from(">III", meta)
    return stat.S_IMODE(mode), uid, gid


def as_a_user_has_it(node: Node) -> Node:
    mode = node.mode | 0o700 if node.kind == DIRECTORY else node.mode
    return replace(node, mode=mode, implied=False)


@settings(
    max_examples=EXAMPLES or 300,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(layers=ANY)
def test_the_import_follows_the_layer_rules(objects: ObjectStage, layers: list[list[Entry]]) -> None:
    """Names, types, owners, modes, contents and targets are those of the model, and so is what is refused."""
    try:
        expected = model([[entry for entry in layer if entry.node.kind != FIFO] for layer in layers])
    except RefusedError:
        with pytest.raises(ImageError):
            imported(objects, layers)
        return
    assert imported(objects, layers) == {path: as_a_user_has_it(node) for path, node in expected.items()}


# what umoci makes of it


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Return a real repo: as root the system's, in which owners and modes are those of the image."""
    return Repo.open(tmp_path_factory.mktemp("repo") / "repo", Mode.SYSTEM if ROOT else Mode.USER)


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
@settings(
    max_examples=EXAMPLES // 20 or 20,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(layers=CONSISTENT)
def test_a_checkout_is_what_umoci_unpacks(repo: Repo, layers: list[list[Entry]]) -> None:
    """It is what the model says, too; only the model when a file is linked to itself, which umoci refuses."""
    image = stated(layers)
    with tempfile.TemporaryDirectory() as directory:
        layout = layout_of(Path(directory) / "image", image)
        ours = checked_out(repo, layout, Path(directory) / "rootfs")
        theirs = unpacked_by_umoci(layout, Path(directory) / "bundle")
    assert ours == {path: seen(node) for path, node in model(image).items()}
    assert ours == theirs if theirs is not None else links_to_itself(image)


def links_to_itself(layers: Sequence[Layer]) -> bool:
    written = (entry for layer in layers for entry in layer if entry.node.kind == HARD_LINK)
    return any(entry.path == entry.node.content.decode() for entry in written)


def seen(node: Node) -> Node:
    """Return a node without what differs when it is not root who unpacks it."""
    return replace(node, implied=False) if ROOT else Node(node.kind, content=node.content)


def stated(layers: Sequence[Layer]) -> list[Layer]:
    """Let layers name the directories about which umoci and we differ when they are only implied.

    umoci follows a symlink of a lower layer where we put a directory in its place (as overlayfs does), keeps
    the mode of a hidden directory, drops a whiteout in a directory that is not there, and lets an implied
    directory inherit setgid from its parent.
    """
    said: list[Layer] = []
    for layer in layers:
        lower = model(said)
        hides = any(entry.node.kind in {WHITEOUT, OPAQUE} for entry in layer)
        known = {entry.path for entry in layer}
        wanted = (parent for entry in layer for parent in parents(entry.path) if parent not in known)
        missing = [one for one in dict.fromkeys(wanted) if hides or lower.get(one, IMPLIED).kind != DIRECTORY]
        named = [Entry(one, Node(DIRECTORY), "{}" if one else "./") for one in missing]
        said.append([*named, *(without_setgid(entry) for entry in layer)])
    return said


def without_setgid(entry: Entry) -> Entry:
    node = entry.node
    return (
        replace(entry, node=replace(node, mode=node.mode & ~stat.S_ISGID))
        if node.kind == DIRECTORY
        else entry
    )


def layout_of(directory: Path, layers: Sequence[Layer]) -> Path:
    tars = [tar_of(layer) for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(tar) for tar in tars]},
    }
    return write_layout(directory, json.dumps(config).encode(), tars, compression="none", name="it")


def unpacked_by_umoci(layout: Path, bundle: Path) -> Mapping[str, Node] | None:
    rootless = [] if ROOT else ["--rootless"]
    done = subprocess.run(
        ["umoci", "unpack", *rootless, f"--image={layout}:it", bundle], check=False, capture_output=True
    )
    return tree_of(bundle / "rootfs") if done.returncode == 0 else None


def checked_out(repo: Repo, layout: Path, rootfs: Path) -> Mapping[str, Node]:
    blobs = {f"sha256:{one.name}": one.read_bytes() for one in (layout / "blobs/sha256").iterdir()}
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    image = import_image(
        repo,
        FakeSource(blobs),
        manifest_digest=Digest(digest),
        manifest_raw=blobs[digest],
        config_raw=blobs[json.loads(blobs[digest])["config"]["digest"]],
        name="it",
        limits=DEFAULT_LIMITS,
        on_event=ignore,
    )
    checkout(repo, image.commit, rootfs)
    return tree_of(rootfs)


def tree_of(rootfs: Path) -> Mapping[str, Node]:
    """Return a real tree as the model has it."""
    inside = (Path(top) / name for top, *names in os.walk(rootfs) for name in chain(*names))
    return {
        "": seen(node_at(rootfs)),
        **{str(path.relative_to(rootfs)): seen(node_at(path)) for path in inside},
    }


def node_at(path: Path) -> Node:
    status = path.lstat()
    attributes = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        return Node(SYMLINK, *attributes, os.fsencode(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return Node(DIRECTORY, *attributes)
    return Node(FILE, *attributes, path.read_bytes())
