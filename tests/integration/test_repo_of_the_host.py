"""The host's own OSTree repo holds the images, too: containers share files with it, and do it no harm."""

import os
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
REPO = "/ostree/repo"
CONFIG = "/etc/os-containers/config.toml"
ROOT = "/srv/os"


@pytest.fixture
def repo(host: Host) -> Iterator[str]:
    """Give the repo of a host that OSTree deploys: a commit with a ref, and one with the ref of a remote.

    One of its files has a label, as all have where SELinux is on.
    """
    host.run(f"mkdir -p {REPO} {ROOT}/bin && ostree init --repo={REPO} --mode=bare")
    host.run(f"cp --preserve /usr/bin/busybox {ROOT}/bin/busybox && echo host >{ROOT}/labelled")
    os.setxattr(
        host.root / f"{ROOT}/labelled".lstrip("/"), "security.selinux", b"system_u:object_r:etc_t:s0\0"
    )
    host.run(f"ostree commit --repo={REPO} --branch=ostree/0/1/0 {ROOT} && touch {ROOT}/new")
    host.run(f"ostree commit --repo={REPO} --branch=next {ROOT}")
    remote = f"{REPO}/refs/remotes/origin"
    host.run(f"mkdir -p {remote} && mv {REPO}/refs/heads/next {remote}/next")
    host.write(CONFIG, f'repo = "{REPO}"\n')
    yield REPO
    host.run(f"rm -r /ostree {ROOT} {CONFIG}")


def objects(host: Host, repo: str) -> set[str]:
    return set(host.run(f"find {repo}/objects -type f").stdout.split())


def test_images_and_host_share_a_repo(host: Host, push_hello: Push, repo: str) -> None:
    """What is damaged of ours is mended; after the last prune there is what was there before, and sound."""
    before = objects(host, repo)
    name = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {name}")
    start_hello(host)
    # busybox is one file of the host's commit, of the image and of the container
    links = host.run("stat --format=%h /var/lib/containers/atomic/hello/rootfs/bin/busybox").stdout
    assert int(links) >= 2
    host.run("os-containers images prune")
    assert host.run("os-containers check").stdout == ""
    host.run("printf rotten > /var/lib/containers/atomic/hello/rootfs/version")
    said = host.run("os-containers repair --insecure").stderr
    assert said.count("replaced the damaged object") == 1
    assert host.run("os-containers check").stdout == ""
    assert before <= objects(host, repo)
    host.run(f"os-containers uninstall hello && os-containers images delete {name}")
    host.run("os-containers images prune")
    host.run(f"ostree fsck --quiet --repo={repo}")
    assert objects(host, repo) == before


def test_a_repo_from_which_nothing_can_be_linked_is_refused_at_once(
    host: Host, push_hello: Push, repo: str
) -> None:
    """Another mount is enough, as /var on a host that OSTree deploys."""
    name = push_hello(HelloImage("1"), "hello:latest")
    host.run("mkdir -p /var/lib/containers && mount --bind /var/lib/containers /var/lib/containers")
    refused = host.run(f"os-containers install --insecure --name hello {name}", check=False)
    host.run("umount /var/lib/containers")
    assert refused.returncode == 8
    assert f"files of the repo {repo} cannot be linked" in refused.stderr
    assert "checkout-path in config.toml" in refused.stderr
