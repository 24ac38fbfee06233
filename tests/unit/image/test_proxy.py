"""The client of skopeo's image proxy, with the real skopeo, on layouts and a registry on this machine."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from images import add_blob, build_image, write_index

from os_containers.errors import (
    ImageError,
    NotFoundError,
    OsContainersError,
    PolicyError,
    RegistryError,
    SystemFaultError,
)
from os_containers.image.access import ProxyOptions
from os_containers.image.channel import Channel
from os_containers.image.layer import open_layer
from os_containers.image.limits import DEFAULT_LIMITS, Limits
from os_containers.image.manifest import (
    Descriptor,
    Digest,
    Layer,
    Platform,
    layers_of,
    parse_image_config,
    parse_manifest,
)
from os_containers.image.proxy import RemoteImage, open_image
from os_containers.image.reference import ImageReference

needs_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
# make install-dev puts it beside Python
REGISTRY = shutil.which("docker-registry", path=f"{sys.prefix}/bin:{os.environ['PATH']}")
needs_registry = pytest.mark.skipif(not REGISTRY, reason="needs docker-registry")
pytestmark = needs_skopeo

INSECURE = ProxyOptions(tls_verify=False)
AT_ONCE = Limits(retry_pause=0.0)
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Registry:
    address: str
    root: Path

    def manifest(self, digest: Digest) -> Path:
        return self.root / "docker/registry/v2/blobs/sha256" / digest.hex[:2] / digest.hex / "data"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Serve a registry without TLS and without a password; yield it."""
    root = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(root)}},
        "http": {"addr": address},
    }
    (root / "config.yml").write_text(json.dumps(config))
    with subprocess.Popen(
        [REGISTRY or "", "serve", root / "config.yml"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as serving:
        _wait_for(address)
        yield Registry(address, root)
        serving.terminate()


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    for _ in range(100):
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return


def push(layout: Path, to: str, *options: str) -> None:
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", *options, f"oci:{layout}", to],
        check=True,
    )


def layers(image: RemoteImage) -> list[bytes]:
    """Return the blobs of an image's layers."""
    _, manifest = image.manifest()
    found = layers_of(parse_manifest(manifest), parse_image_config(image.config()))
    blobs = [read_blob(image, layer) for layer in found]
    assert [Digest.of(blob) for blob in blobs] == [layer.digest for layer in found]
    return blobs


def read_blob(image: RemoteImage, layer: Layer | Descriptor) -> bytes:
    with image.blob(layer.digest, layer.size) as file:
        return b"".join(iter(lambda: file.read(1 << 20), b""))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not read


def test_an_oci_layout_is_read(tmp_path: Path) -> None:
    """Digest, manifest, image config and layers are byte for byte those of the layout."""
    layout = build_image(tmp_path / "image", {"/a": "1"}, {"/b": os.urandom(3 << 20)}, cmd=["/a"])
    index = json.loads((layout / "index.json").read_text())
    before = open_descriptors()
    with open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image:
        digest, manifest = image.manifest()
        assert digest == index["manifests"][0]["digest"] == Digest.of(manifest)
        assert parse_image_config(image.config()).container.cmd == ("/a",)
        assert len(layers(image)) == 2
    assert open_descriptors() == before


def test_blobs_flow_beside_each_other(tmp_path: Path) -> None:
    """Two blobs larger than their pipes can be read in turns."""
    content = [os.urandom(2 << 20), os.urandom(2 << 20)]
    layout = build_image(tmp_path / "image", {"/a": content[0]}, {"/b": content[1]}, compression="none")
    with open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image:
        first, second = parse_manifest(image.manifest()[1]).layers
        with image.blob(first.digest, first.size) as one, image.blob(second.digest, second.size) as two:
            pieces: dict[str, list[bytes]] = {first.digest: [], second.digest: []}
            while any((a := one.read(70_000), b := two.read(70_000))):
                pieces[first.digest].append(a)
                pieces[second.digest].append(b)
    assert all(Digest.of(b"".join(found)) == digest for digest, found in pieces.items())


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive", "dir"])
def test_other_transports_are_read(tmp_path: Path, transport: str) -> None:
    """Also those that store plain layers, or convert the manifest, give an image that verifies."""
    layout = build_image(tmp_path / "image", {"/a": "1"}, {"/b": "2"}, cmd=["/a"])
    push(layout, f"{transport}:{tmp_path}/copy")
    with open_image(ImageReference.parse(f"{transport}:{tmp_path}/copy"), ProxyOptions()) as image:
        assert parse_image_config(image.config()).container.cmd == ("/a",)
        assert len(layers(image)) == 2


@needs_registry
@pytest.mark.parametrize("manifest_format", ["oci", "v2s2"])
def test_an_image_comes_from_a_registry(tmp_path: Path, registry: Registry, manifest_format: str) -> None:
    """An OCI and a Docker image; the digest is the one that a user writes behind @."""
    layout = build_image(tmp_path / "image", {"/a": manifest_format}, {"/b": "2"}, cmd=["/a"])
    name = f"docker://{registry.address}/{manifest_format}"
    push(layout, name, f"--format={manifest_format}")
    with open_image(ImageReference.parse(name), INSECURE) as image:
        digest, _ = image.manifest()
        assert parse_image_config(image.config()).container.cmd == ("/a",)
        assert len(layers(image)) == 2
    with open_image(ImageReference.parse(f"{name}@{digest}"), INSECURE) as image:
        assert image.manifest()[0] == digest


@needs_registry
def test_b3_a_manifest_must_have_the_digest_that_was_asked_for(tmp_path: Path, registry: Registry) -> None:
    """A registry that sends another manifest under a digest is not believed."""
    name = f"docker://{registry.address}/forged"
    digests = []
    for text in ("good", "evil"):
        layout = build_image(tmp_path / text, {"/a": text})
        push(layout, f"{name}:{text}")
        digests.append(Digest(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]))
    good, evil = (registry.manifest(digest) for digest in digests)
    good.write_bytes(evil.read_bytes())
    with (
        pytest.raises(OsContainersError),
        open_image(ImageReference.parse(f"{name}@{digests[0]}"), INSECURE) as image,
    ):
        image.manifest()


def multi_platform(directory: Path) -> Path:
    """Make a layout whose only entry is an index of two platforms."""
    manifests = []
    for architecture in ("amd64", "arm64"):
        build_image(directory, {"/which": architecture}, architecture=architecture)
        (described,) = json.loads((directory / "index.json").read_text())["manifests"]
        manifests.append({**described, "platform": {"os": "linux", "architecture": architecture}})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    write_index(directory, [add_blob(directory, index, INDEX)])
    return directory


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_platform_chooses_from_an_index(tmp_path: Path, architecture: str) -> None:
    """The manifest is that of one image, whose digest is reported."""
    layout = multi_platform(tmp_path / "image")
    options = ProxyOptions(platform=Platform("linux", architecture))
    with open_image(ImageReference.parse(f"oci:{layout}"), options) as image:
        digest, manifest = image.manifest()
        assert digest == Digest.of(manifest)
        assert parse_image_config(image.config()).architecture == architecture


@needs_registry
def test_b9_an_index_can_be_asked_for_by_digest(tmp_path: Path, registry: Registry) -> None:
    """Skopeo verifies the index against the digest, and the image against the index."""
    name = f"docker://{registry.address}/index"
    push(multi_platform(tmp_path / "image"), name)
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", name], check=True, capture_output=True
    ).stdout
    options = ProxyOptions(tls_verify=False, platform=Platform("linux", "arm64"))
    with open_image(ImageReference.parse(f"{name}@{Digest.of(raw)}"), options) as image:
        digest, manifest = image.manifest()
    assert digest == Digest.of(manifest)


def test_b9_a_platform_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The image exists, but not for this machine."""
    layout = multi_platform(tmp_path / "image")
    options = ProxyOptions(platform=Platform("linux", "s390x"))
    with (
        pytest.raises(ImageError) as caught,
        open_image(ImageReference.parse(f"oci:{layout}"), options) as image,
    ):
        image.manifest()
    assert "--platform" in str(caught.value.hint)


@pytest.mark.parametrize("nested", [0, 1, 2])
def test_b9_an_index_in_a_layout_holds_images_and_not_more_indexes(tmp_path: Path, nested: int) -> None:
    """The layout's own index may name one that is for platforms; one within that is refused."""
    layout = build_image(tmp_path / "image", {"/a": "1"})
    for _ in range(nested):
        (described,) = json.loads((layout / "index.json").read_text())["manifests"]
        manifests = [{**described, "platform": {"os": "linux", "architecture": "amd64"}}]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        write_index(layout, [add_blob(layout, json.dumps(index).encode(), INDEX)])
    options = ProxyOptions(platform=Platform("linux", "amd64"))
    refused = pytest.raises(ImageError, match="unsupported manifest")
    with (
        refused if nested > 1 else contextlib.nullcontext(),
        open_image(ImageReference.parse(f"oci:{layout}"), options) as image,
    ):
        assert len(layers(image)) == 1


@needs_registry
@pytest.mark.parametrize("name", ["missing", "missing:tag", f"missing@sha256:{'a' * 64}"])
def test_b16_what_the_registry_has_not_is_not_found(registry: Registry, name: str) -> None:
    """A missing image has an exit code of its own."""
    with (
        pytest.raises(NotFoundError) as caught,
        open_image(ImageReference.parse(f"docker://{registry.address}/{name}"), INSECURE) as image,
    ):
        image.manifest()
    assert len(caught.value.message.splitlines()) == 1


def test_b16_a_layout_that_is_missing_is_not_found(tmp_path: Path) -> None:
    """Files that are not there as well."""
    for transport in ("oci", "oci-archive", "docker-archive", "dir"):
        with (
            pytest.raises(NotFoundError),
            open_image(ImageReference.parse(f"{transport}:{tmp_path}/missing"), ProxyOptions()) as image,
        ):
            image.manifest()


@needs_registry
def test_b20_plain_http_needs_permission(registry: Registry) -> None:
    """Without --tls-verify=false the registry is not talked to; the hint says what allows it."""
    reference = ImageReference.parse(f"docker://{registry.address}/etcd")
    with pytest.raises(RegistryError) as caught, open_image(reference, ProxyOptions()) as image:
        image.manifest()
    assert "--tls-verify=false" in str(caught.value.hint)


def test_b16_a_registry_that_is_down_is_a_registry_error() -> None:
    """Nobody listens on the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reference = ImageReference.parse(f"docker://127.0.0.1:{port}/etcd")
    with pytest.raises(RegistryError), open_image(reference, INSECURE) as image:
        image.manifest()


DAMAGES = {
    "corrupt": lambda data: data[:-1] + b"x",
    "truncated": lambda data: data[:-1000],
    "longer": lambda data: data + bytes(1 << 20),
}


@pytest.mark.parametrize("damage", ["corrupt", "truncated", "longer", "missing"])
def test_b4_a_damaged_blob_is_refused(tmp_path: Path, damage: str) -> None:
    """At the latest when the blob is left, and within seconds; no descriptor stays open."""
    layout = build_image(tmp_path / "image", {"/a": os.urandom(1 << 20)}, compression="none")
    push(layout, f"dir:{tmp_path}/copy")
    before = open_descriptors()
    with open_image(ImageReference.parse(f"dir:{tmp_path}/copy"), ProxyOptions()) as image:
        (layer,) = parse_manifest(image.manifest()[1]).layers
        path = tmp_path / "copy" / layer.digest.hex
        data = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(DAMAGES[damage](data))
        with pytest.raises(OsContainersError):
            read_blob(image, layer)
    assert open_descriptors() == before


@pytest.mark.parametrize("damage", ["corrupt", "truncated", "longer", "missing"])
def test_b4_a_damaged_layer_of_a_layout_is_refused(tmp_path: Path, damage: str) -> None:
    """Its blobs are read where they are: whoever reads makes the digest."""
    layout = build_image(tmp_path / "image", {"/a": os.urandom(1 << 20)}, compression="none")
    before = open_descriptors()
    with open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image:
        (layer,) = layers_of(parse_manifest(image.manifest()[1]), parse_image_config(image.config()))
        path = layout / "blobs/sha256" / layer.digest.hex
        data = path.read_bytes()
        path.unlink()
        if damage != "missing":
            path.write_bytes(DAMAGES[damage](data))
        with (
            pytest.raises(OsContainersError),
            open_layer(image, layer, DEFAULT_LIMITS, lambda _: None) as stream,
        ):
            list(iter(stream.read, b""))
    assert open_descriptors() == before


def test_a_blob_need_not_be_read(tmp_path: Path) -> None:
    """A reader who fails leaves at once, with its own exception, and the image can be used on."""
    layout = build_image(tmp_path / "image", {"/a": os.urandom(4 << 20)}, compression="none")
    with open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image:
        (layer,) = parse_manifest(image.manifest()[1]).layers
        with contextlib.suppress(KeyError), image.blob(layer.digest, layer.size) as file:
            raise KeyError(file.read(10))
        assert len(layers(image)) == 1


@pytest.fixture
def fake_skopeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a test can put a skopeo of its own."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory / "skopeo"


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/usr/bin/python3\nimport socket, sys\n{body}\n")
    path.chmod(0o755)


ANSWER = """
fd = int(sys.argv[-1].partition("=")[2])
peer = socket.socket(fileno=fd)
while peer.recv(40000):
    peer.send({reply!r})
"""


def test_b17_without_skopeo_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next step is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemFaultError) as caught, open_image(ImageReference.parse("x"), ProxyOptions()):
        pass
    assert "skopeo" in str(caught.value.hint)


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(1)",
        "sys.exit('flag provided but not defined')",
        ANSWER.format(reply=b"garbage"),
        ANSWER.format(reply=b"[]"),
        ANSWER.format(reply=b'{"success": "yes"}'),
        ANSWER.format(reply=b"x" * 100_000),
        ANSWER.format(reply=b'{"success": true, "value": "0.2.8"}'),
        ANSWER.format(reply=b'{"success": false, "error": "\\u001b[2Jboo"}'),
    ],
)
def test_b17_a_broken_skopeo_is_an_error_of_ours(fake_skopeo: Path, body: str) -> None:
    """It may end, talk nonsense, or pass no descriptor: one line says so, and no descriptor stays open."""
    script(fake_skopeo, body)
    before = open_descriptors()
    with (
        pytest.raises(OsContainersError) as caught,
        open_image(ImageReference.parse("x"), ProxyOptions()) as image,
    ):
        image.manifest()
    assert caught.value.message.isprintable()
    assert open_descriptors() == before


def test_b17_a_skopeo_that_cannot_be_executed_is_not_the_registrys_fault(fake_skopeo: Path) -> None:
    """It is found, and then the kernel refuses it."""
    fake_skopeo.write_text("#!/no/such/interpreter\n")
    fake_skopeo.chmod(0o755)
    with pytest.raises(SystemFaultError) as caught, open_image(ImageReference.parse("x"), ProxyOptions()):
        pass
    assert "install" in str(caught.value.hint)


def test_b82_a_thread_that_cannot_start_names_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is one of the host's, and no descriptor stays open."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    layout = build_image(tmp_path / "image", {"/a": "1"})
    before = open_descriptors()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with (
        pytest.raises(SystemFaultError, match="thread") as caught,
        open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image,
    ):
        image.manifest()
    assert "ulimit -u" in str(caught.value.hint)
    assert open_descriptors() == before


@pytest.mark.parametrize(("failures", "requests"), [(0, 1), (3, 4), (4, 4)])
def test_b16_a_registry_that_is_overloaded_is_asked_again(
    fake_skopeo: Path, tmp_path: Path, failures: int, requests: int
) -> None:
    """Three times, then the failure is told."""
    log = tmp_path / "log"
    body = f"""
import json
peer = socket.socket(fileno=int(sys.argv[-1].partition("=")[2]))
failures = {failures}
while request := peer.recv(40000):
    method = json.loads(request)["method"]
    open({str(log)!r}, "a").write(method + "\\n")
    failing = method == "OpenImage" and failures > 0
    failures -= failing
    reply = dict(success=not failing, value="0.2.8", error="HTTP status: 503 Service Unavailable")
    peer.send(json.dumps(reply).encode())
"""
    script(fake_skopeo, body)
    gives_up = pytest.raises(RegistryError) if failures > 3 else contextlib.nullcontext()
    with gives_up, open_image(ImageReference.parse("x"), ProxyOptions(), AT_ONCE):
        pass
    assert log.read_text().splitlines() == ["Initialize", *["OpenImage"] * requests]


def test_b16_a_skopeo_that_has_ended_is_not_asked_again(
    fake_skopeo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when its last words are those of a failure that may pass."""
    asked: list[str] = []
    exchange = Channel._exchange

    def counting(proxy: Channel, request: bytes) -> tuple[bytes, list[int]]:
        asked.append(json.loads(request)["method"])
        return exchange(proxy, request)

    monkeypatch.setattr(Channel, "_exchange", counting)
    script(fake_skopeo, "sys.exit('dial tcp: i/o timeout')")
    reference = ImageReference.parse("x")
    with pytest.raises(RegistryError, match="i/o timeout"), open_image(reference, INSECURE, AT_ONCE):
        pass
    assert asked == ["Initialize"]


STALLING = """
import json, os
peer = socket.socket(fileno=int(sys.argv[-1].partition("=")[2]))
reply = json.dumps(dict(success=True, value="0.2.8", pipeid=7, error="")).encode()
while request := peer.recv(40000):
    method = json.loads(request)["method"]
    if method == "GetBlob":
        read_end, write_end = os.pipe()
        socket.send_fds(peer, [reply], [read_end])
        os.close(read_end)
    elif method != "FinishPipe":
        peer.send(reply)
open({ended!r}, "w").close()
"""


def test_b16_a_blob_that_stalls_names_its_image_and_lets_skopeo_end(
    fake_skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for, and not killed."""
    ended = tmp_path / "ended"
    script(fake_skopeo, STALLING.format(ended=str(ended)))
    monkeypatch.setattr("os_containers.image.blob_pipe.SILENCE", 0.1)
    limits = Limits(no_progress=2.0)
    descriptors = open_descriptors()
    with (
        pytest.raises(RegistryError, match=r"quay\.io/stalled:latest: nothing arrived"),
        open_image(ImageReference.parse("quay.io/stalled"), INSECURE, limits) as image,
        image.blob(Digest.of(b""), 100) as file,
    ):
        file.read(1)
    assert open_descriptors() == descriptors
    assert ended.exists()


def test_the_manifest_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image config is found by it without asking again."""
    asked: list[str] = []
    read = Channel.read

    def counting(proxy: Channel, method: str, handle: object) -> tuple[object, bytes]:
        asked.append(method)
        return read(proxy, method, handle)

    monkeypatch.setattr(Channel, "read", counting)
    layout = build_image(tmp_path / "image", {"/a": "1"})
    with open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image:
        image.manifest()
        image.config()
    assert asked == ["GetManifest", "GetFullConfig"]


def test_credentials_are_neither_in_the_argument_list_nor_on_disk(fake_skopeo: Path, tmp_path: Path) -> None:
    """They are read, as often as skopeo likes, from memory that goes with the last process that has it."""
    seen = tmp_path / "seen"
    body = f"""
import json, os
(authfile,) = [word.partition("=")[2] for word in sys.argv if word.startswith("--authfile=")]
seen = [sys.argv, os.readlink(authfile), json.load(open(authfile)), json.load(open(authfile))]
open({str(seen)!r}, "w").write(json.dumps(seen))
"""
    script(fake_skopeo, body)
    options = ProxyOptions(credentials="me:s3cret")
    with (
        pytest.raises(OsContainersError) as caught,
        open_image(ImageReference.parse("quay.io/etcd"), options),
    ):
        pass
    argv, authfile, first, second = json.loads(seen.read_text())
    assert not any("s3cret" in word for word in argv)
    assert "s3cret" not in caught.value.message
    assert authfile.startswith("/memfd:")
    assert first == second == {"auths": {"quay.io": {"auth": base64.b64encode(b"me:s3cret").decode()}}}


def test_b18_an_old_skopeo_must_not_skip_a_policy(
    fake_skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protocols before 0.2.6 do not look at policy.json: refused unless it accepts anything."""
    script(fake_skopeo, ANSWER.format(reply=b'{"success": true, "value": "0.2.3"}'))
    policy = tmp_path / ".config/containers/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default": [{"type": "reject"}]}')
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        pytest.raises(PolicyError, match="does not check"),
        open_image(ImageReference.parse("x"), ProxyOptions()),
    ):
        pass


def pid_of(fake_skopeo: Path) -> Path:
    """Return where a fake skopeo writes its process id."""
    return fake_skopeo.with_name("pid")


def ended(pid: Path) -> bool:
    """Tell whether a process is over and was waited for."""
    return not Path(f"/proc/{pid.read_text()}").exists()


SPEAKING = """
import json, os, signal, time
open({pid!r}, "w").write(str(os.getpid()))
peer = socket.socket(fileno=int(sys.argv[-1].partition("=")[2]))
reply = json.dumps(dict(success=True, value="0.2.8", pipeid=7, error="")).encode()
while request := peer.recv(40000):
    method = json.loads(request)["method"]
    {body}
    else:
        peer.send(reply)
"""

FAULTS = {
    "killed amid a blob": (
        (
            "if method == 'GetBlob':\n"
            "        r, w = os.pipe(); socket.send_fds(peer, [reply], [r]); os.write(w, b'x' * 100)\n"
            "        os.kill(os.getpid(), signal.SIGKILL)"
        ),
        RegistryError,
        "skopeo ended",
    ),
    "no reply": ("if method == 'GetBlob': time.sleep(30)", RegistryError, "did not answer for 0.5 seconds"),
    "no reply to the end": (
        (
            "if method == 'GetBlob':\n"
            "        r, w = os.pipe(); socket.send_fds(peer, [reply], [r]); os.write(w, b'x' * 1000)\n"
            "    elif method == 'FinishPipe': time.sleep(30)"
        ),
        RegistryError,
        "did not answer for 0.5 seconds",
    ),
    "no descriptor": ("if method == 'GetBlob': peer.send(reply)", SystemFaultError, "passed 0 descriptors"),
    "two descriptors": (
        "if method == 'GetBlob': socket.send_fds(peer, [reply], list(os.pipe()))",
        SystemFaultError,
        "passed 2 descriptors",
    ),
    "five descriptors": (
        "if method == 'GetBlob': socket.send_fds(peer, [reply], [0, 1, 2, 0, 1])",
        SystemFaultError,
        "passed 2 descriptors",
    ),
    "garbage": ("if method == 'GetBlob': peer.send(b'garbage')", SystemFaultError, "malformed"),
    "garbage that is deep": (
        "if method == 'GetBlob': peer.send(b'{\"success\": true, \"value\": ' + b'[' * 20000)",
        SystemFaultError,
        "nested deeper",
    ),
    "garbage with a descriptor": (
        "if method == 'GetBlob': socket.send_fds(peer, [b'{}'], [os.pipe()[0]])",
        SystemFaultError,
        "missing required field",
    ),
    "hangs when it is to end": (
        (
            "if method == 'GetBlob':\n"
            "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "        peer.send(b'{}')\n"
            "        time.sleep(30)"
        ),
        SystemFaultError,
        "missing required field",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_b17_a_skopeo_that_fails_amid_a_pull_is_ended_and_told(
    fake_skopeo: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Within the time for no progress; it is waited for, and every descriptor is closed."""
    monkeypatch.setattr("os_containers.image.channel._END_TIMEOUT", 0.2)
    body, kind, said = FAULTS[fault]
    script(fake_skopeo, SPEAKING.format(pid=str(pid_of(fake_skopeo)), body=body))
    before, descriptors = time.monotonic(), open_descriptors()
    limits = Limits(no_progress=0.5, retry_pause=0.0)
    with (
        pytest.raises(kind, match=said) as caught,
        open_image(ImageReference.parse("quay.io/app"), INSECURE, limits) as image,
        image.blob(Digest.of(b""), 1000) as file,
    ):
        b"".join(iter(lambda: file.read(1000), b""))
    assert caught.value.message.isprintable()
    assert time.monotonic() - before < 10
    assert open_descriptors() == descriptors
    assert ended(pid_of(fake_skopeo))


def test_b17_a_manifest_that_never_comes_is_not_waited_for(
    fake_skopeo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipe is there, and stays empty."""
    monkeypatch.setattr("os_containers.image.channel._END_TIMEOUT", 0.2)
    body = (
        "if method == 'GetManifest':\n"
        "        r, w = os.pipe(); socket.send_fds(peer, [reply], [r])\n"
        "    elif method == 'FinishPipe': time.sleep(30)"
    )
    script(fake_skopeo, SPEAKING.format(pid=str(pid_of(fake_skopeo)), body=body))
    with (
        pytest.raises(RegistryError, match=r"nothing arrived for 0\.5 seconds"),
        open_image(ImageReference.parse("quay.io/app"), INSECURE, Limits(no_progress=0.5)) as image,
    ):
        image.manifest()
    assert ended(pid_of(fake_skopeo))


@pytest.mark.parametrize(("length", "taken"), [(32 << 10, True), ((32 << 10) + 1, False)])
def test_b17_a_reply_may_have_32_kib(fake_skopeo: Path, length: int, taken: bool) -> None:  # noqa: FBT001
    """And not a byte more, even when all of it could be understood."""
    body = f"if method == 'OpenImage': peer.send(reply.ljust({length}))"
    script(fake_skopeo, SPEAKING.format(pid=str(pid_of(fake_skopeo)), body=body))
    refused = pytest.raises(SystemFaultError, match="more than 32768 bytes")
    with (
        contextlib.nullcontext() if taken else refused,
        open_image(ImageReference.parse("quay.io/app"), INSECURE),
    ):
        pass


def test_b1_a_manifest_from_skopeo_is_bounded_as_well(tmp_path: Path) -> None:
    """By the limit that was set, which itself is allowed."""
    layout = build_image(tmp_path / "image", {"/a": "1"})
    reference = ImageReference.parse(f"oci:{layout}")
    with open_image(reference, ProxyOptions()) as image:
        length = len(image.manifest()[1])
    with open_image(reference, ProxyOptions(), Limits(json_size=length)) as image:
        assert len(image.manifest()[1]) == length
    with (
        pytest.raises(ImageError, match=f"more than {length - 1} bytes"),
        open_image(reference, ProxyOptions(), Limits(json_size=length - 1)) as image,
    ):
        image.manifest()


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (3, 4)])
def test_b16_how_often_is_tried_again_can_be_set(fake_skopeo: Path, retries: int, requests: int) -> None:
    """Each pause is four times the one before, and a little more by chance."""
    log = fake_skopeo.with_name("log")
    body = (
        f"open({str(log)!r}, 'a').write(method + ' ' + str(time.monotonic()) + chr(10))\n"
        '    if method == \'OpenImage\': peer.send(b\'{{"success": false, "error": "status: 503"}}\')'
    )
    script(
        fake_skopeo,
        SPEAKING.format(pid=str(pid_of(fake_skopeo)), body=body.replace("{{", "{").replace("}}", "}")),
    )
    limits = Limits(retries=retries, retry_pause=0.05)
    reference = ImageReference.parse("quay.io/app")
    with pytest.raises(RegistryError, match="503"), open_image(reference, INSECURE, limits):
        pass
    times = [float(line.split()[1]) for line in log.read_text().splitlines() if "OpenImage" in line]
    assert len(times) == requests
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert all(pause >= 0.05 * 4**number for number, pause in enumerate(pauses))


@pytest.mark.parametrize("said", ["flag provided but not defined: -sockfd", "unknown command"])
def test_b17_a_skopeo_that_is_too_old_is_told(fake_skopeo: Path, said: str) -> None:
    """The next step is to update it."""
    script(fake_skopeo, f"sys.exit({said!r})")
    with pytest.raises(SystemFaultError) as caught, open_image(ImageReference.parse("x"), INSECURE):
        pass
    assert caught.value.hint == "update skopeo"


def test_b66_a_reference_never_stands_on_a_command_line(fake_skopeo: Path, tmp_path: Path) -> None:
    """It goes to skopeo as a message, so that no shell and no option parser sees it."""
    seen = tmp_path / "seen"
    script(fake_skopeo, f"open({str(seen)!r}, 'w').write(' '.join(sys.argv))")
    with pytest.raises(OsContainersError), open_image(ImageReference.parse("oci:/a;$(x)`y`"), INSECURE):
        pass
    assert "$(x)" not in seen.read_text()


POLICIES = {
    "reject": [{"type": "reject"}],
    "signature": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nonexistent.gpg"}],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_b18_the_policy_of_the_host_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """By skopeo, or by us where it would not look."""
    file = tmp_path / ".config/containers/policy.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"default": POLICIES[policy]}))
    monkeypatch.setenv("HOME", str(tmp_path))
    layout = build_image(tmp_path / "image", {"/a": "1"})
    with (
        pytest.raises(PolicyError),
        open_image(ImageReference.parse(f"oci:{layout}"), ProxyOptions()) as image,
    ):
        image.manifest()
