"""Images: from everywhere, once; listed, tagged, deleted, pruned."""

import json
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.machine import Host
from testhost.registry import PASSWORD, PLAIN, TLS, USER, WITH_PASSWORD

Push = Callable[[HelloImage, str], str]
STORE = "/var/lib/containers/atomic"
REPO = f"{STORE}/.storage/repo"


def images(host: Host) -> list[str]:
    return [one["name"] for one in json.loads(host.run("os-containers images list --json").stdout)]


def test_pulling_twice_fetches_nothing(host: Host, push_hello: Push) -> None:
    """The first tells each layer, the second that it is there."""
    image = push_hello(HelloImage("1"), "hello:latest")
    first = host.run(f"os-containers pull --insecure {image}").stderr
    second = host.run(f"os-containers pull --insecure {image}").stderr
    assert first.count("Copying layer sha256:") == 2
    assert second.count("Copying") == 0
    assert second.count("Present layer sha256:") == 2


def test_a_new_version_fetches_only_what_is_new(host: Host, push_hello: Push) -> None:
    """The layer with busybox is shared, and so are its files on disk."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    push_hello(HelloImage("2"), "hello:latest")
    said = host.run(f"os-containers pull --insecure {image}").stderr
    assert (said.count("Copying layer"), said.count("Present layer")) == (1, 1)
    host.run("os-containers update hello")
    inodes = host.run(f"stat --format %i {STORE}/.deploy/hello/*/rootfs/bin/busybox").stdout.split()
    assert len(inodes) == 2
    assert len(set(inodes)) == 1


def test_ostree_knows_the_repo(host: Host, push_hello: Push) -> None:
    """Its own program lists the refs and the files of an image."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    refs = host.run(f"ostree refs --repo={REPO}").stdout.split()
    (ref,) = [one for one in refs if one.startswith("ociimage/127.0.0.1")]
    assert len([one for one in refs if one.startswith("ociimage/")]) == 4
    assert " /bin/hello\n" in host.run(f"ostree ls --repo={REPO} -R {ref}").stdout
    host.run(f"ostree fsck --repo={REPO}")


def test_tls_is_the_default(host: Host, push_hello: Push) -> None:
    """A registry without is refused, and the hint says what to do."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull {image.replace(PLAIN, TLS)}")
    failed = host.run(f"os-containers pull {image}", check=False)
    assert failed.returncode == 11
    assert "--tls-verify=false" in failed.stderr


def test_credentials_are_used_and_not_told(host: Host, push_hello: Push) -> None:
    """By option or by file; without them the error says that a login is needed."""
    image = push_hello(HelloImage("1"), "hello:latest").replace(PLAIN, WITH_PASSWORD)
    failed = host.run(f"os-containers pull --insecure {image}", check=False)
    assert failed.returncode == 11
    assert "login" in failed.stderr
    wrong = host.run(f"os-containers pull --insecure --creds {USER}:hunter2 {image}", check=False)
    assert wrong.returncode == 11
    assert "hunter2" not in wrong.stderr
    host.run(f"os-containers pull --insecure --creds {USER}:{PASSWORD} {image}")
    host.run(f"rm -rf {STORE}")
    login = f"--authfile /run/auth -u {USER} -p {PASSWORD} {WITH_PASSWORD}"
    host.run(f"skopeo login --tls-verify=false {login}")
    host.run(f"os-containers pull --insecure --authfile /run/auth {image}")
    assert images(host) == [image]
    host.run("rm /run/auth")


@pytest.mark.parametrize("transport", ["oci:{0}", "oci-archive:{0}.tar", "docker-archive:{0}.tar", "dir:{0}"])
def test_an_image_comes_from_a_file_or_directory(host: Host, push_hello: Push, transport: str) -> None:
    """Its name is the one inside, or the one given."""
    image = push_hello(HelloImage("1"), "hello:latest")
    source = transport.format("/srv/hello-image")
    named = source if source.startswith("dir:") else f"{source}:example.org/hello:5"
    host.run(f"skopeo copy --src-tls-verify=false docker://{image} {named}")
    host.run(f"os-containers pull {source}")
    if source.startswith("dir:"):
        assert images(host) == ["localhost/hello-image:latest"]
    else:
        assert images(host) == ["example.org/hello:5"]
    host.run(f"os-containers pull --name-image quay.io/other:1 {source}")
    host.run(f"os-containers install --name hello {source}")
    start_hello(host)
    host.run("systemctl stop hello")
    host.run("rm -rf /srv/hello-image*")


def test_an_unknown_image_is_not_found(host: Host, push_hello: Push) -> None:
    """With an exit code of its own."""
    push_hello(HelloImage("1"), "hello:latest")
    for name in (f"{PLAIN}/hello:nothing", f"{PLAIN}/nothing"):
        assert host.run(f"os-containers pull --insecure {name}", check=False).returncode == 3


def test_no_registry_is_told(host: Host) -> None:
    """Not with a traceback."""
    failed = host.run("os-containers pull 127.0.0.1:1/nothing", check=False)
    assert failed.returncode == 11
    assert "Traceback" not in failed.stderr


def test_images_are_listed_tagged_and_deleted(host: Host, push_hello: Push) -> None:
    """A tag is a second name of the same image."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    host.run(f"os-containers images tag {image} example.org/second:1")
    assert images(host) == [image, "example.org/second:1"]
    table = host.run("os-containers images list").stdout.splitlines()
    assert table[0].split() == [
        "NAME",
        "TAG",
        "IMAGE",
        "ID",
        "CREATED",
        "SIZE",
        "OWN",
        "LAYERS",
        "USED",
        "BY",
    ]
    assert table[2].split()[:2] == ["example.org/second", "1"]
    assert len(host.run("os-containers images list --all").stdout.splitlines()) == 5
    assert "sha256:" in host.run("os-containers images list --no-truncate").stdout
    host.run(f"os-containers images delete {image}")
    assert images(host) == ["example.org/second:1"]


def test_prune_frees_what_nothing_needs(host: Host, push_hello: Push) -> None:
    """What a container runs on stays, whole, although its image is gone."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    big = push_hello(HelloImage("2", files={"/big": "x" * 5_000_000}), "big:latest")
    host.run(f"os-containers pull --insecure {big}")
    host.run(f"os-containers images delete --force {image} {big}")
    assert "freed 5.0" in host.run("os-containers images prune").stdout
    host.run(f"ostree fsck --quiet --repo={REPO}")
    start_hello(host)
    host.run("os-containers update hello", check=False)
    assert host.run("systemctl is-active hello").stdout.strip() == "active"
    host.run("os-containers uninstall hello")
    host.run("os-containers images prune")
    assert host.run(f"ostree refs --repo={REPO}").stdout == ""
    assert host.run(f"find {REPO}/objects -type f | wc -l").stdout.strip() == "0"


@pytest.fixture
def podman_storage_removed(host: Host) -> Iterator[None]:
    """Remove what skopeo and podman have and leave: their images, and a mount."""
    yield
    host.run("umount --quiet /var/lib/containers/storage/overlay", check=False)
    host.run("rm -r /var/lib/containers/storage /run/containers")


@pytest.mark.usefixtures("podman_storage_removed")
def test_an_image_comes_from_the_storage_of_podman(host: Host, push_hello: Push) -> None:
    """What other tools have pulled is not fetched again."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"skopeo copy --src-tls-verify=false docker://{image} containers-storage:example.org/hello:5")
    pulled = host.run("os-containers pull containers-storage:example.org/hello:5", check=False)
    if host.suite == "bookworm":
        assert (pulled.returncode, pulled.stderr.splitlines()[-1]) == (8, "hint: update skopeo")
        return
    assert images(host) == ["example.org/hello:5"]
    assert host.run("os-containers run example.org/hello:5 cat /version").stdout == "1"


def test_zstd_layers_and_docker_manifests_are_read(host: Host, push_hello: Push) -> None:
    """The files are those of the same image in gzip and OCI, and are stored once."""
    image = push_hello(HelloImage("1"), "hello:latest")
    copy = "skopeo copy --src-tls-verify=false --dest-tls-verify=false"
    host.run(f"{copy} --dest-decompress docker://{image} dir:/srv/plain")
    host.run(f"{copy} --dest-compress-format zstd dir:/srv/plain oci:/srv/zstd:example.org/zstd:1")
    assert "+zstd" in host.run("skopeo inspect --raw oci:/srv/zstd").stdout
    host.run(f"{copy} --format v2s2 docker://{image} docker://{PLAIN}/docker")
    for name in (image, "oci:/srv/zstd", f"{PLAIN}/docker"):
        host.run(f"os-containers pull --insecure {name}")
        assert host.run(f"os-containers run {name} cat /version").stdout == "1"
    count = "find /var/lib/containers/atomic/.storage/repo/objects -name '*.file' -size +1000k | wc -l"
    assert host.run(count).stdout.strip() == "1"
    host.run("rm -r /srv/plain /srv/zstd")


def test_a_policy_that_rejects_is_obeyed(host: Host, push_hello: Push) -> None:
    """Also where skopeo itself would not look at it."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.write("/root/.config/containers/policy.json", '{"default": [{"type": "reject"}]}')
    refused = host.run(f"os-containers pull --insecure {image}", check=False)
    host.run("rm -r /root/.config")
    assert refused.returncode == 5
    assert not host.exists(f"{REPO}/refs/heads/ociimage")
