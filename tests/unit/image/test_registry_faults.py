"""Registries that fail, lie or fall silent, on the loopback interface; the client is the real skopeo."""

import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from images import add_blob, build_image
from registry import (
    Fault,
    Registry,
    cut_off,
    login,
    other_content,
    pause,
    redirect_loop,
    reset,
    running_registry,
    stall,
    status,
)

from os_containers.errors import ImageError, NotFoundError, OsContainersError, RegistryError
from os_containers.image.access import ProxyOptions
from os_containers.image.limits import Limits
from os_containers.image.manifest import (
    OCI_MANIFEST,
    Digest,
    Platform,
    layers_of,
    parse_image_config,
    parse_manifest,
)
from os_containers.image.proxy import open_image
from os_containers.image.reference import ImageReference

pytestmark = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")

LIMITS = Limits(retry_pause=0.0, no_progress=20.0)
SECRET = "hunter2"  # noqa: S105 - for a registry that lives for a moment
OPTIONS = ProxyOptions(tls_verify=False, credentials=f"me:{SECRET}")
INDEX = "application/vnd.oci.image.index.v1+json"
AT_ONCE = {"Retry-After": "0"}  # else skopeo itself waits for up to a minute


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


def serve(registry: Registry, tmp_path: Path, *, size: int = 1 << 20) -> str:
    """Serve an image of one layer as app:latest and return its name in full."""
    layout = build_image(tmp_path / "image", {"/a": os.urandom(size)}, compression="none")
    return registry.serve(layout, "app:latest")


def fetch(name: str, limits: Limits = LIMITS, options: ProxyOptions = OPTIONS) -> list[Digest]:
    """Fetch an image as a pull does and return its digest and those of the layers' bytes."""
    with open_image(ImageReference.parse(f"docker://{name}"), options, limits) as image:
        digest, manifest = image.manifest()
        found = [digest]
        for layer in layers_of(parse_manifest(manifest), parse_image_config(image.config())):
            with image.blob(layer.digest, layer.size) as file:
                found.append(Digest.of(b"".join(iter(lambda: file.read(1 << 16), b""))))
        return found


def failed(name: str, limits: Limits = LIMITS, options: ProxyOptions = OPTIONS) -> OsContainersError:
    """Return the error of a fetch: one printable line, with a way out, and without a secret."""
    with pytest.raises(OsContainersError) as caught:
        fetch(name, limits, options)
    assert caught.value.message.isprintable()
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def test_b16_an_image_is_fetched_when_nothing_is_wrong(registry: Registry, tmp_path: Path) -> None:
    """So what fails below fails by its fault."""
    digest, layer = fetch(serve(registry, tmp_path))
    assert digest == Digest.of(registry.manifests["app", "latest"])
    assert layer in registry.blobs


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (401, "log in, or check"),
        (403, "log in, or check"),
        (404, "check the name"),
        (429, "limiting requests"),
        (500, "try again"),
        (502, "try again"),
        (503, "try again"),
        (504, "try again"),
    ],
)
def test_b16_a_status_has_its_error_and_its_number_of_requests(
    registry: Registry, tmp_path: Path, kind: str, code: int, hint: str
) -> None:
    """What will not change is asked once, what may pass three times more; skopeo repeats a 429 itself."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = status(code, headers=AT_ONCE)
    caught = failed(name)
    assert type(caught) is (NotFoundError if code == 404 else RegistryError)
    assert hint in str(caught.hint)
    assert registry.asked(kind) == (5 if code == 429 else 4 if code >= 500 else 1)


@pytest.mark.parametrize("kind", ["ping", "manifests", "blobs"])
@pytest.mark.parametrize("failing", [lambda: status(503, times=2), lambda: reset(times=2)])
def test_b16_a_registry_that_recovers_is_no_failure(
    registry: Registry, tmp_path: Path, kind: str, failing: Callable[[], Fault]
) -> None:
    """Two failures in a row are made up for."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = failing()
    assert len(fetch(name)) == 2


@pytest.mark.parametrize("kind", ["ping", "manifests", "blobs"])
def test_b16_a_connection_that_is_always_reset_is_a_registry_error(
    registry: Registry, tmp_path: Path, kind: str
) -> None:
    """It is tried three times more."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = reset()
    assert type(failed(name)) is RegistryError
    asked = registry.requests.count("/v2/") if kind == "ping" else registry.asked(kind)
    assert asked == 4


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_b16_a_redirect_loop_ends(registry: Registry, tmp_path: Path, kind: str) -> None:
    """After ten steps."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = redirect_loop
    assert "redirect" in failed(name).message
    assert registry.asked(kind) <= 11


@pytest.mark.parametrize(
    ("kind", "change", "headers"),
    [
        pytest.param("manifests", lambda data: data[:-10], {}, id="b16-short-manifest"),
        pytest.param("manifests", lambda _: b"", {}, id="b1-empty-manifest"),
        pytest.param("manifests", lambda _: b"null", {}, id="b1-null"),
        pytest.param("manifests", lambda _: b"[]", {}, id="b1-list"),
        pytest.param("manifests", lambda data: data + b" " * (5 << 20), {}, id="b1-cve_2020_1702-huge"),
        pytest.param("manifests", lambda _: b"[" * 200_000, {}, id="b1-deep"),
        pytest.param("blobs", lambda data: data[:-1] + b"x", {}, id="b4-corrupt"),
        pytest.param("blobs", lambda data: data[:-100], {}, id="b4-truncated"),
        pytest.param("blobs", lambda data: data + bytes(100_000), {}, id="b4-longer"),
        pytest.param("blobs", lambda _: b"", {}, id="b4-empty"),
    ],
)
def test_b16_content_that_is_not_what_was_named_is_refused(
    registry: Registry, tmp_path: Path, kind: str, change: Callable[[bytes], bytes], headers: dict[str, str]
) -> None:
    """Before anything is taken for the image."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = other_content(change, **headers)
    assert isinstance(failed(name), ImageError)


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
@pytest.mark.parametrize(("length", "error"), [("10", ImageError), ("2000000000", RegistryError)])
def test_b16_a_wrong_content_length_is_refused(
    registry: Registry, tmp_path: Path, kind: str, length: str, error: type[OsContainersError]
) -> None:
    """Shorter than what follows is damage; longer looks like a connection that broke off."""
    name = serve(registry, tmp_path)
    registry.faults[kind] = other_content(lambda data: data, **{"Content-Length": length})
    assert type(failed(name)) is error


def test_b16_a_blob_that_breaks_off_is_an_error_that_may_pass(registry: Registry, tmp_path: Path) -> None:
    """The import fetches such a layer again: see test_importer."""
    name = serve(registry, tmp_path)
    registry.faults["blobs"] = cut_off(after=100_000)
    assert isinstance(failed(name), RegistryError)


@pytest.mark.parametrize(("kind", "after"), [("ping", 0), ("manifests", 100), ("blobs", 300)])
def test_b16_silence_ends_after_the_no_progress_time(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, after: int
) -> None:
    """Before and amid an answer; skopeo ends with us."""
    monkeypatch.setattr("os_containers.image.channel._END_TIMEOUT", 0.2)
    name = serve(registry, tmp_path)
    registry.faults[kind] = stall(registry, after=after)
    started = time.monotonic()
    caught = failed(name, Limits(retry_pause=0.0, no_progress=0.5))
    assert isinstance(caught, RegistryError)
    assert "0.5 seconds" in caught.message
    assert time.monotonic() - started < 8


def test_b16_a_pause_that_is_shorter_is_no_failure(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one in which skopeo is asked what is wrong."""
    monkeypatch.setattr("os_containers.image.blob_pipe.SILENCE", 0.1)
    name = serve(registry, tmp_path)
    registry.faults["blobs"] = pause(0.4, after=300)
    assert len(fetch(name, Limits(retry_pause=0.0, no_progress=20.0))) == 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_b16_b20_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    """The hint says where the authority's own can be put; nothing is asked for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with running_registry(tls) as registry:
        name = serve(registry, tmp_path)
        caught = failed(name, options=ProxyOptions())
        assert registry.requests == []
        assert len(fetch(name, options=ProxyOptions(tls_verify=False))) == 2
    assert isinstance(caught, RegistryError)
    assert "certs.d" in str(caught.hint)


def test_b20_plain_http_needs_permission(registry: Registry, tmp_path: Path) -> None:
    """Without it nothing is asked for, and the hint says what gives it."""
    caught = failed(serve(registry, tmp_path), options=ProxyOptions())
    assert isinstance(caught, RegistryError)
    assert "--tls-verify=false" in str(caught.hint)
    assert registry.requests == []


def test_b19_a_tag_that_moves_gives_one_image(registry: Registry, tmp_path: Path) -> None:
    """Manifest, config and layers are those of one digest, although the tag names another image since."""
    name = serve(registry, tmp_path)
    other = build_image(tmp_path / "other", {"/a": "newer"})
    before = Digest.of(registry.manifests["app", "latest"])
    with open_image(ImageReference.parse(f"docker://{name}"), OPTIONS, LIMITS) as image:
        registry.serve(other, "app:latest")
        digest, manifest = image.manifest()
        (layer,) = layers_of(parse_manifest(manifest), parse_image_config(image.config()))
        with image.blob(layer.digest, layer.size) as file:
            content = b"".join(iter(lambda: file.read(1 << 16), b""))
    assert digest == before == Digest.of(manifest)
    assert Digest.of(content) == layer.digest


def test_b19_a_tag_that_moves_to_what_is_gone_is_refused(registry: Registry, tmp_path: Path) -> None:
    """When the registry has removed the old image meanwhile, none is made of both."""
    name = serve(registry, tmp_path)
    with open_image(ImageReference.parse(f"docker://{name}"), OPTIONS, LIMITS) as image:
        registry.blobs.clear()
        registry.serve(build_image(tmp_path / "other", {"/a": "newer"}), "app:latest")
        with pytest.raises(NotFoundError):
            image.config()


def test_credentials_open_a_registry_whatever_is_asked(registry: Registry, tmp_path: Path) -> None:
    """The image, and, when there is none for this platform, for which there are some."""
    name = serve(registry, tmp_path)
    manifest = registry.manifests["app", "latest"]
    described = {"mediaType": OCI_MANIFEST, "digest": Digest.of(manifest), "size": len(manifest)}
    platform = {"os": "linux", "architecture": "s390x"}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**described, "platform": platform}]}
    other = registry.serve_manifest(json.dumps(index).encode(), "app:other")
    for kind in ("ping", "manifests", "blobs"):
        registry.faults[kind] = login(f"me:{SECRET}")
    assert "log in, or check" in str(failed(name, options=ProxyOptions(tls_verify=False)).hint)
    assert len(fetch(name)) == 2
    assert "linux/s390x" in str(failed(other).hint)


@pytest.mark.parametrize("forged", [b"{}", b"other"])
def test_b3_a_manifest_that_is_not_the_one_of_the_digest_is_refused(
    registry: Registry, tmp_path: Path, forged: bytes
) -> None:
    """Whoever pins a digest gets that image or none."""
    serve(registry, tmp_path)
    good = registry.manifests["app", "latest"]
    name = f"{registry.address}/app@{Digest.of(good)}"
    assert fetch(name)[0] == Digest.of(good)
    registry.manifests["app", Digest.of(good)] = good[:-1] + b" }" if forged == b"{}" else forged
    assert isinstance(failed(name), ImageError)


def index_of(*described: tuple[bytes, str], media_type: str = "") -> bytes:
    """Return an index that names manifests for platforms."""
    manifests = [
        {
            "mediaType": media_type or "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest.of(manifest),
            "size": len(manifest),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for manifest, architecture in described
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()


INDEX = "application/vnd.oci.image.index.v1+json"


def test_b9_an_index_without_our_platform_lists_those_it_has(registry: Registry, tmp_path: Path) -> None:
    """So that one need not guess what --platform takes."""
    serve(registry, tmp_path)
    manifest = registry.manifests["app", "latest"]
    name = registry.serve_manifest(index_of((manifest, "arm64"), (manifest, "riscv64")), "app:many")
    options = ProxyOptions(tls_verify=False, platform=Platform("linux", "s390x"))
    caught = failed(name, options=options)
    assert isinstance(caught, ImageError)
    assert caught.hint == "choose one with --platform: linux/arm64, linux/riscv64"


@pytest.mark.parametrize(("wanted", "is_there"), [("v7", True), ("v6", False)])
def test_b9_an_index_has_variants(
    registry: Registry,
    tmp_path: Path,
    wanted: str,
    is_there: bool,  # noqa: FBT001
) -> None:
    """One that is not there is refused as another platform is, and the list has the others."""
    serve(registry, tmp_path)
    index = json.loads(index_of((registry.manifests["app", "latest"], "arm")))
    index["manifests"][0]["platform"]["variant"] = "v7"
    name = registry.serve_manifest(json.dumps(index).encode(), "app:variants")
    options = ProxyOptions(tls_verify=False, platform=Platform("linux", "arm", wanted))
    if is_there:
        assert len(fetch(name, options=options)) == 2
    else:
        caught = failed(name, options=options)
        assert isinstance(caught, ImageError)
        assert caught.hint == "choose one with --platform: linux/arm/v7"


def test_b9_an_index_in_an_index_is_refused(registry: Registry, tmp_path: Path) -> None:
    serve(registry, tmp_path)
    inner = index_of((registry.manifests["app", "latest"], "amd64"))
    registry.serve_manifest(inner, "app:inner")
    name = registry.serve_manifest(index_of((inner, "amd64"), media_type=INDEX), "app:outer")
    options = ProxyOptions(tls_verify=False, platform=Platform("linux", "amd64"))
    assert isinstance(failed(name, options=options), ImageError)


def test_b9_an_index_that_names_itself_is_refused(registry: Registry, tmp_path: Path) -> None:
    """A registry can send it for ever; its digest cannot be right."""
    serve(registry, tmp_path)
    manifest = registry.manifests["app", "latest"]
    index = index_of((manifest, "amd64"), media_type=INDEX)
    registry.manifests["app", Digest.of(manifest)] = index
    name = registry.serve_manifest(index, "app:loop")
    options = ProxyOptions(tls_verify=False, platform=Platform("linux", "amd64"))
    assert isinstance(failed(name, options=options), ImageError)
    assert registry.asked("manifests") <= 4


def test_b7_b8_a_schema_1_manifest_is_never_half_read(registry: Registry) -> None:
    """Nor one that is also something newer."""
    schema1 = {
        "schemaVersion": 1,
        "name": "app",
        "tag": "latest",
        "architecture": "amd64",
        "mediaType": "application/vnd.docker.distribution.manifest.v1+json",
        "fsLayers": [{"blobSum": f"sha256:{'a' * 64}"}],
        "history": [{"v1Compatibility": json.dumps({"id": "a" * 64})}],
    }
    for changes in ({}, {"layers": [], "manifests": []}):
        name = registry.serve_manifest(json.dumps({**schema1, **changes}).encode(), "app:old")
        caught = failed(name)
        assert isinstance(caught, ImageError)
        assert changes or "schema 1 is not supported" in str(caught.hint)
    assert registry.asked("blobs") == 0


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, INDEX, None])
@pytest.mark.parametrize("other", ["manifests", "fsLayers"])
def test_b8_cve_2021_41190_a_document_that_is_two_things_is_neither(
    registry: Registry, tmp_path: Path, media_type: str | None, other: str
) -> None:
    """Whatever it calls itself."""
    serve(registry, tmp_path)
    two = {**json.loads(registry.manifests["app", "latest"]), other: [], "mediaType": media_type}
    written = json.dumps({key: value for key, value in two.items() if value is not None}).encode()
    assert isinstance(failed(registry.serve_manifest(written, "app:two")), ImageError)
    assert registry.asked("blobs") == 0


@pytest.mark.parametrize("row", ["b10-cve_2020_15157"])
def test_b10_the_elsewhere_of_a_foreign_layer_is_never_asked(
    registry: Registry, tmp_path: Path, row: str
) -> None:
    """So it cannot get credentials either."""
    assert row
    name = serve(registry, tmp_path)
    manifest = json.loads(registry.manifests["app", "latest"])
    with running_registry() as elsewhere:
        url = f"http://{elsewhere.address}/v2/x/blobs/{manifest['layers'][0]['digest']}"
        manifest["layers"][0]["urls"] = [url]
        registry.serve_manifest(json.dumps(manifest).encode(), "app:latest")
        caught = failed(name)
        assert elsewhere.requests == []
    assert isinstance(caught, ImageError)
    assert "fetched from elsewhere" in caught.message
    assert registry.asked("blobs") <= 1


def test_cve_2019_10214_no_secret_goes_to_a_registry_without_tls(registry: Registry, tmp_path: Path) -> None:
    """Over plain http credentials are sent only where it was allowed."""
    name = serve(registry, tmp_path)
    challenge = {"WWW-Authenticate": 'Basic realm="r"'}
    registry.faults["ping"] = status(401, headers=challenge)
    caught = failed(name, options=ProxyOptions(credentials=f"me:{SECRET}"))
    assert isinstance(caught, RegistryError)
    assert not any("Authorization" in headers for headers in registry.headers)


def test_cve_2021_21285_a_config_with_a_bad_digest_asks_for_nothing(
    registry: Registry, tmp_path: Path
) -> None:
    """A digest that is none never becomes a request of ours, let alone a path."""
    name = serve(registry, tmp_path)
    manifest = json.loads(registry.manifests["app", "latest"])
    config = add_blob(tmp_path / "image", b"{}", "application/vnd.oci.image.config.v1+json")
    for digest in ("sha256:../../../etc/passwd", "sha256", "", "md5:00", f"sha256:{'A' * 64}"):
        changed = {**manifest, "config": {**config, "digest": digest}}
        registry.serve_manifest(json.dumps(changed).encode(), "app:latest")
        assert isinstance(failed(name), ImageError)
    assert registry.asked("blobs") == 0
