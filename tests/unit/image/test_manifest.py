"""Manifests and image configs: OCI and Docker schema 2 are read, everything else is refused by name."""

import json
from collections.abc import Callable

import pytest

from os_containers.errors import ImageError, UsageError
from os_containers.image.manifest import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
    ContainerConfig,
    Descriptor,
    Digest,
    ImageConfig,
    Layer,
    Manifest,
    Platform,
    layers_of,
    parse_image_config,
    parse_manifest,
    parse_platforms,
    with_layers,
)

A = Digest(f"sha256:{'a' * 64}")
B = Digest(f"sha256:{'b' * 64}")
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def manifest(**changes: object) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": A, "size": 7},
        "layers": [{"mediaType": LAYER, "digest": B, "size": 9}],
    }
    return json.dumps({**document, **changes}).encode()


def layer(**changes: object) -> bytes:
    return manifest(layers=[{"mediaType": LAYER, "digest": B, "size": 9, **changes}])


def image_config(**changes: object) -> bytes:
    document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [A]}}
    return json.dumps({**document, **changes}).encode()


def test_an_oci_manifest_is_read() -> None:
    """All that a pull needs is in Manifest."""
    assert parse_manifest(manifest()) == Manifest(A, 7, (Descriptor(B, 9, LAYER),), OCI_MANIFEST)


def test_a_docker_manifest_is_read() -> None:
    """Docker schema 2 differs in its media types only."""
    raw = manifest(
        mediaType=DOCKER_MANIFEST,
        config={"mediaType": DOCKER_CONFIG, "digest": A, "size": 7},
        layers=[{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": B, "size": 9}],
    )
    assert parse_manifest(raw).media_type == DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b"hello", "malformed", id="not JSON"),
        pytest.param(b"null", "malformed", id="null"),
        pytest.param(b"[]", "malformed", id="list"),
        pytest.param(b'{"schemaVersion": 2, "mediaType": "\xff"}', "malformed", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "nested deeper than 100", id="deep lists"),
        pytest.param(b'{"a":' * 100_000, "nested deeper than 100", id="deep objects"),
        pytest.param(b'"' + b'\\"' * 1_000_000, "malformed", id="a string without an end"),
        pytest.param(b" " * (4 << 20) + b"{}", "larger than 4194304 bytes", id="too large"),
    ],
)
def test_b1_nonsense_is_refused(raw: bytes, said: str) -> None:
    """What is no manifest is refused in one line, however large or deep."""
    with pytest.raises(ImageError, match=said):
        parse_manifest(raw)


def test_b1_the_limits_themselves_are_allowed() -> None:
    """A depth of 100 and a size of 4 MiB are read; brackets in strings are not depth."""
    deep = json.loads("[" * 99 + "]" * 99)
    raw = manifest(annotations={"a": "[" * 200}, deep=deep)
    assert parse_manifest(raw + b" " * ((4 << 20) - len(raw))).config_digest == A


def test_b1_an_index_is_bounded_as_well() -> None:
    """By the limit of a manifest, which itself is allowed."""
    raw = json.dumps({"manifests": [{"platform": {"os": "linux", "architecture": "arm"}}]}).encode()
    largest = raw.ljust(4 << 20)
    assert parse_platforms(largest) == (Platform("linux", "arm"),)
    for other in (largest + b" ", b"[" * 100_000, b"null", b""):
        with pytest.raises(ImageError, match="the index is"):
            parse_platforms(other)


@pytest.mark.parametrize(
    "text",
    ["sha256", "sha256:zz", f"md5:{'a' * 32}", A.upper(), "sha256:../../x", A[:-1], f"{A}a", f"{A}\n", ""],
)
def test_b2_only_sha256_digests_are_digests(text: str) -> None:
    """A digest becomes a path and a ref, so that nothing else may pass for one."""
    with pytest.raises(ImageError, match="not a sha256 digest"):
        Digest.parse(text)
    with pytest.raises(ImageError, match="not a sha256 digest"):
        parse_manifest(layer(digest=text))


def test_a_digest_is_that_of_its_bytes() -> None:
    """The digest of nothing is well known."""
    digest = Digest.of(b"")
    assert digest.hex.startswith("e3b0c44298fc1c14")
    assert Digest.parse(digest) == f"sha256:{digest.hex}"


@pytest.mark.parametrize("size", [-1, 1.0, 1.5, "9", None, 2**63, 2**64, 10**30, True])
def test_b5_a_size_is_a_number_of_bytes(size: object) -> None:
    """A negative, fractional or enormous size is refused, and so is another type."""
    for raw in (layer(size=size), manifest(config={"mediaType": OCI_CONFIG, "digest": A, "size": size})):
        with pytest.raises(ImageError):
            parse_manifest(raw)


def test_b5_a_size_must_be_there() -> None:
    """Without a size there is no limit for the blob."""
    with pytest.raises(ImageError, match="size"):
        parse_manifest(manifest(config={"mediaType": OCI_CONFIG, "digest": A}))
    with pytest.raises(ImageError, match="size"):
        parse_manifest(manifest(layers=[{"mediaType": LAYER, "digest": B}]))


def test_b6_each_layer_needs_its_diff_id() -> None:
    """Layers and diff_ids are paired in order, so that their numbers must agree."""
    one, none = parse_image_config(image_config()), parse_manifest(manifest(layers=[]))
    assert layers_of(parse_manifest(manifest()), one) == (Layer(B, 9, LAYER, A),)
    with pytest.raises(ImageError, match="the manifest has 0 layers, the image config 1"):
        layers_of(none, one)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (manifest(schemaVersion=1, fsLayers=[]), "schema 1"),
        (manifest(fsLayers=[]), "not supported"),
        (manifest(manifests=[]), "claims to be an index as well"),
        (b'{"schemaVersion": 2, "manifests": []}', "an image index"),
        (b'{"schemaVersion": 2}', "no config or no layers"),
        (manifest(mediaType="application/vnd.oci.image.index.v1+json"), "not the manifest of an image"),
        (
            manifest(config={"mediaType": "application/vnd.oci.empty.v1+json", "digest": A, "size": 2}),
            "artifact",
        ),
        (layer(urls=["https://example.com/layer"]), "fetched from elsewhere"),
        (layer(mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "from elsewhere"),
        (layer(mediaType=f"{LAYER}+encrypted"), "encrypted"),
        (layer(mediaType="application/x-tar"), "not supported"),
    ],
)
def test_b7_to_b11_other_documents_are_refused_by_name(raw: bytes, said: str) -> None:
    """Schema 1, indexes, documents that are two things, artifacts, foreign and encrypted layers."""
    with pytest.raises(ImageError, match=said):
        parse_manifest(raw)


def test_b12_there_may_be_500_layers() -> None:
    """An image of 500 layers is read, one of 501 is not; one layer may occur again."""
    described = {"mediaType": LAYER, "digest": B, "size": 9}
    assert len(parse_manifest(manifest(layers=[described] * 500)).layers) == 500
    assert parse_manifest(manifest(layers=[])).layers == ()
    with pytest.raises(ImageError, match="501 layers"):
        parse_manifest(manifest(layers=[described] * 501))


def test_the_image_config_is_read() -> None:
    """Every field that a service needs arrives; maps of empty objects become sorted names."""
    written = {
        "User": "etcd:etcd",
        "Env": ["A=1"],
        "Entrypoint": ["/usr/bin/etcd"],
        "Cmd": ["--debug"],
        "WorkingDir": "/var",
        "StopSignal": "SIGINT",
        "Labels": {"a": "b"},
        "Volumes": {"/v2": {}, "/v1": {}},
        "ExposedPorts": {"2379/tcp": {}},
        "Healthcheck": {"Test": ["CMD"]},
    }
    assert parse_image_config(image_config(created="2026-01-02T03:04:05Z", config=written)) == ImageConfig(
        architecture="amd64",
        os="linux",
        created="2026-01-02T03:04:05Z",
        container=ContainerConfig(
            user="etcd:etcd",
            env=("A=1",),
            entrypoint=("/usr/bin/etcd",),
            cmd=("--debug",),
            working_dir="/var",
            stop_signal="SIGINT",
            volumes=("/v1", "/v2"),
        ),
        diff_ids=(A,),
    )


@pytest.mark.parametrize("written", [None, {}, {"Env": None, "Cmd": None, "Labels": None, "Volumes": None}])
def test_what_an_image_config_leaves_out_is_empty(written: object) -> None:
    """Docker writes null for nothing."""
    assert parse_image_config(image_config(config=written)).container == ContainerConfig()


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        image_config(rootfs={"type": "layers", "diff_ids": ["md5:1"]}),
        image_config(rootfs={"type": "tarball", "diff_ids": []}),
        image_config(config={"Env": "A=1"}),
    ],
)
def test_b1_a_malformed_image_config_is_refused(raw: bytes) -> None:
    """Types are checked, not guessed."""
    with pytest.raises(ImageError):
        parse_image_config(raw)


@pytest.mark.parametrize("parse", [parse_manifest, parse_image_config])
def test_b36_messages_do_not_repeat_control_characters(parse: Callable[[bytes], object]) -> None:
    """A terminal must not obey what an image says."""
    evil = "\x1b[2J"
    raw = manifest(mediaType=evil, rootfs={"type": evil, "diff_ids": []}, os="linux", architecture="amd64")
    with pytest.raises(ImageError) as caught:
        parse(raw)
    assert caught.value.message.isprintable()


def test_a_platform_is_written_with_slashes() -> None:
    """Parsing and writing are inverse."""
    assert Platform.parse("linux/arm64/v8") == Platform("linux", "arm64", "v8")
    assert str(Platform.parse("linux/amd64")) == "linux/amd64"


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "linux/a/b/c", "--x/y", "Linux/amd64", "linux/amd64\n"]
)
def test_nonsense_is_no_platform(text: str) -> None:
    """A platform becomes options of skopeo, so that its form is checked."""
    with pytest.raises(UsageError):
        Platform.parse(text)


def test_the_layers_of_a_manifest_can_be_others() -> None:
    """As containers-storage has them: unpacked, under their diff_ids."""
    plain = LAYER.removesuffix("+gzip")
    changed = with_layers(manifest(), [{"digest": str(A), "size": 5, "media_type": plain}])
    assert parse_manifest(changed) == Manifest(A, 7, (Descriptor(A, 5, plain),), OCI_MANIFEST)


@pytest.mark.parametrize("layers", [None, {}, [1], [{"digest": 1}]])
def test_b17_layers_that_are_none_are_refused(layers: object) -> None:
    """Whatever a broken proxy answers."""
    with pytest.raises(ImageError, match="layers"):
        with_layers(manifest(), layers)


@pytest.mark.parametrize(
    "raw", [b"[]", b'{"\xff": 1}', b'{"a": ' + b"[" * 100_000], ids=["list", "utf8", "deep"]
)
def test_b1_a_manifest_that_gets_other_layers_is_read_as_warily(raw: bytes) -> None:
    """It is what skopeo found in its storage."""
    with pytest.raises(ImageError):
        with_layers(raw, [])
