"""References and names: what people write, in full; nonsense is refused before skopeo sees it."""

import pytest

from os_containers.errors import UsageError
from os_containers.image.reference import ImageReference, container_name, normalize_name

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("etcd", "docker.io/library/etcd:latest"),
        ("etcd:3.5", "docker.io/library/etcd:3.5"),
        ("gscrivano/etcd", "docker.io/gscrivano/etcd:latest"),
        ("docker.io/etcd", "docker.io/library/etcd:latest"),
        ("index.docker.io/x/etcd", "docker.io/x/etcd:latest"),
        ("quay.io/coreos/etcd:v3.5", "quay.io/coreos/etcd:v3.5"),
        ("quay.io/a/b/c/d__e-f.g_h", "quay.io/a/b/c/d__e-f.g_h:latest"),
        ("localhost/etcd", "localhost/etcd:latest"),
        ("localhost:5000/etcd", "localhost:5000/etcd:latest"),
        ("127.0.0.1:5000/etcd:1", "127.0.0.1:5000/etcd:1"),
        ("[::1]:5000/etcd:1", "[::1]:5000/etcd:1"),
        ("registry:5000/etcd", "registry:5000/etcd:latest"),
        ("UPPER/etcd", "UPPER/etcd:latest"),
        (f"quay.io/etcd@{DIGEST}", f"quay.io/etcd@{DIGEST}"),
        (f"quay.io/etcd:3.5@{DIGEST}", f"quay.io/etcd@{DIGEST}"),
        (f"quay.io/etcd:{'t' * 128}", f"quay.io/etcd:{'t' * 128}"),
    ],
)
def test_b66_names_are_written_in_full(text: str, name: str) -> None:
    """Registry, repository and tag or digest; what is in full already stays."""
    assert normalize_name(text) == name
    assert normalize_name(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "@",
        "/",
        "etcd:",
        "etcd:/x",
        "Etcd",
        "quay.io/Etcd",
        "quay.io/etcd:",
        "quay.io//etcd",
        "quay.io/etcd/",
        "quay.io/-etcd",
        "quay.io/a..b",
        "quay.io/../etcd",
        "quay.io:port/etcd",
        "-etcd",
        "etcd;reboot",
        "$(reboot)",
        "a b",
        "etcd\n",
        "etcd:1\n",
        "ëtcd",
        "etcd@sha256:1",
        "etcd@md5:00000000000000000000000000000000",
        f"quay.io/etcd:{'t' * 129}",
        f"quay.io/{'a' * 300}",
        "a" * 5000,
    ],
)
def test_b66_nonsense_is_no_name(text: str) -> None:
    """The grammar is that of the distribution project; the message shows no control characters."""
    for parse in (normalize_name, ImageReference.parse):
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "transport", "rest"),
    [
        ("etcd", "docker", "//docker.io/library/etcd:latest"),
        ("localhost:5000/etcd", "docker", "//localhost:5000/etcd:latest"),
        ("docker://quay.io/etcd:3.5", "docker", "//quay.io/etcd:3.5"),
        ("oci:/srv/etcd:3.5", "oci", "/srv/etcd:3.5"),
        ("oci-archive:etcd.tar", "oci-archive", "etcd.tar"),
        ("docker-archive:/srv/etcd.tar:etcd:1", "docker-archive", "/srv/etcd.tar:etcd:1"),
        ("dir:/srv/a b", "dir", "/srv/a b"),
        ("containers-storage:etcd", "containers-storage", "etcd"),
        ("docker-daemon:etcd:latest", "docker-daemon", "etcd:latest"),
    ],
)
def test_references_have_a_transport(text: str, transport: str, rest: str) -> None:
    """A bare name means a registry; everything behind other transports is theirs."""
    reference = ImageReference.parse(text)
    assert reference == ImageReference(transport, rest)
    assert ImageReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    ["oci:", "docker:etcd", "docker://", "-x", "--help", "oci:/a\nb", "dir:/\x1b[2J", f"oci:{5000 * 'a'}"],
)
def test_b66_nonsense_is_no_reference(text: str) -> None:
    """An option, control characters and five kilobytes never reach skopeo's command line."""
    with pytest.raises(UsageError) as caught:
        ImageReference.parse(text)
    assert caught.value.hint
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("docker.io/gscrivano/etcd:latest", "etcd"),
        ("quay.io/x/etcd:3.4", "etcd-3.4"),
        ("localhost:5000/etcd:latest", "etcd"),
        (f"quay.io/x/etcd@{DIGEST}", "etcd"),
    ],
)
def test_a_container_is_called_after_its_image(image: str, name: str) -> None:
    """The last part of the name and the tag, as the predecessors do it."""
    assert container_name(image) == name
