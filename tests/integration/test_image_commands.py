"""What a person does with images beside containers: look into them, verify, mount, delete, prune."""

import json
from collections.abc import Callable

from testhost.hello import HelloImage
from testhost.machine import Host

STORE = "/var/lib/containers/atomic"
Push = Callable[[HelloImage, str], str]

EXPORTS = {
    "/exports/manifest.json": '{"defaultValues": {"PORT": 1}, "installedFilesTemplate": ["/etc/hello.conf"]}',
    "/exports/service.template": "[Service]\nExecStartPre=/bin/true $TOKEN\nExecStart=$EXEC_START\n",
    "/exports/hostfs/etc/hello.conf": "port=$PORT\n",
    "/exports/hostfs/etc/cron.d/hello": "# nothing\n",
}


def test_images_are_looked_at_verified_and_deleted(host: Host, push_hello: Push) -> None:
    """As a person would, from the registry to the last byte freed."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    images = "os-containers images"
    # the registry has a newer one; it tells of it what it can without that anything is stored
    push_hello(HelloImage("2", files=EXPORTS), "hello:latest")
    verified = host.run(f"{images} verify --insecure", check=False)
    assert (verified.returncode, "newer: " in verified.stdout) == (12, True)
    remote = json.loads(host.run(f"{images} info --remote --insecure --json {image}").stdout)
    assert (remote["labels"], remote["commit"], remote["variables"]) == ({"version": "2"}, None, None)
    assert 0 < remote["to_fetch"] < 2000
    assert len(listed(host)) == 1
    # pulled, it says what it wants; the one from before has no name any more, and its container keeps it
    host.run(f"os-containers pull --insecure {image}")
    assert host.run(f"{images} verify --insecure").returncode == 0
    shown = host.run(f"{images} info {image}").stdout
    wanted = f"install --set TOKEN=... --allow-host-path /etc/cron.d/hello {image}"
    assert shown.splitlines()[-1] == f"To install it: os-containers {wanted}"
    newer, former = listed(host)
    assert (newer["name"], newer["used_by"], newer["dangling"]) == (image, [], False)
    assert former["used_by"] == [{"container": "hello", "serial": 1, "active": True}]
    assert (former["name"], former["dangling"]) == (None, True)
    assert host.run(f"{images} list --quiet --filter used=false").stdout.strip() == newer["digest"][7:19]
    # a registry that is gone is told, and is no reason not to look at the files
    host.run(f"{images} tag {image} 127.0.0.1:1/gone:1")
    asked = host.run(f"{images} verify --insecure --json", check=False)
    found = [(one["name"], one["intact"], one["latest"]) for one in json.loads(asked.stdout)]
    named = [("127.0.0.1:1/gone:1", True, "failed"), (image, True, "latest")]
    assert found == [*named, ("", True, "not asked")]
    assert asked.returncode == 11
    # mistyped, in use, by id; what is freed is told before
    mistyped = host.run(f"{images} delete helo", check=False)
    assert (mistyped.returncode, f"did you mean {image}?" in mistyped.stderr) == (3, True)
    assert host.run(f"{images} delete {former['digest'][7:19]}", check=False).returncode == 6
    host.run(f"{images} delete {newer['digest'][7:15]}")
    planned = json.loads(host.run(f"{images} prune --dry-run --json").stdout)
    assert (planned["images"], planned["bytes"] > 0) == ([newer["digest"]], True)
    pruned = json.loads(host.run(f"{images} prune --json").stdout)
    assert pruned == {**planned, "dry_run": False}
    assert host.run("os-containers run hello cat /version").stdout == "1"


def test_an_image_is_mounted_read_only(host: Host, push_hello: Push) -> None:
    """At a directory that a person gives, and at one of ours; nothing of it is left."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image} && mkdir /srv/look")
    mount, umount = "os-containers images mount", "os-containers images umount"
    assert host.run(f"{mount} {image} /srv/look").stdout == "/srv/look\n"
    own = host.run(f"{mount} {image}").stdout.strip()
    # again is the same
    assert host.run(f"{mount} {image}").stdout.strip() == own
    assert host.run(f"cat /srv/look/version {own}/version").stdout == "11"
    options = host.run("findmnt --noheadings --output VFS-OPTIONS --target /srv/look").stdout
    assert {"ro", "nosuid", "nodev"} <= set(options.strip().split(","))
    assert "Read-only" in host.run("touch /srv/look/version", check=False).stderr
    assert json.loads(host.run("os-containers check --json").stdout) == []
    assert [one["path"] for one in json.loads(host.run(f"{mount} --json").stdout)] == [own, "/srv/look"]
    # somebody looks into it
    busy = host.run(f"cd /srv/look && {umount} /srv/look", check=False)
    assert (busy.returncode, "is in use" in busy.stderr) == (7, True)
    # neither its deletion nor a prune takes it away
    host.run(f"os-containers images delete {image} && os-containers images prune")
    assert host.run("cat /srv/look/version").stdout == "1"
    host.run(f"{umount} {own}")
    # by whoever does not know the command
    host.run("umount /srv/look && rmdir /srv/look")
    checked = host.run("os-containers check --json")
    assert (json.loads(checked.stdout), "was mounted here, but no longer is" in checked.stderr) == ([], True)
    host.run("os-containers recover")
    assert not host.exists("/run/os-containers")
    assert host.run(f"find {STORE} -name .mounted").stdout == ""


def test_what_a_killed_mount_leaves_is_found(host: Host, push_hello: Push) -> None:
    """At each of its system calls that change something: it is mounted whole, or recover removes it."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image} && mkdir /srv/look")
    for call in ("open_tree", "mount_setattr", "move_mount", "rename"):
        killed = f"strace --quiet=all --output=/dev/null -e inject={call}:signal=SIGKILL"
        assert host.run(f"{killed} os-containers images mount {image} /srv/look", check=False).returncode != 0
        if host.run("mountpoint --quiet /srv/look", check=False).returncode == 0:
            assert host.run("touch /srv/look/x", check=False).returncode != 0
            host.run("os-containers images umount /srv/look")
        else:
            found = json.loads(host.run("os-containers check --json", check=False).stdout)
            assert {one["invariant"] for one in found} <= {"I12"}
            host.run("os-containers recover")
            assert host.run(f"find {STORE} -name .mounted").stdout == ""
        assert json.loads(host.run("os-containers check --json").stdout) == []
    host.run("rmdir /srv/look")


def test_a_user_looks_at_images_without_mounting(host: Host, user: str, push_hello: Push) -> None:
    """The error of what only root can do says what works."""
    image = push_hello(HelloImage("1", files=EXPORTS), "hello:latest")
    host.run(f"os-containers pull --insecure {image}", user=user)
    refused = host.run(f"os-containers images mount {image}", user=user, check=False)
    assert (refused.returncode, "os-containers run" in refused.stderr) == (2, True)
    shown = host.run(f"os-containers images info {image}", user=user).stdout
    assert "Host files (for root only, not installed)" in shown
    assert shown.splitlines()[-1] == f"To install it: os-containers install --set TOKEN=... {image}"


def listed(host: Host) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(host.run("os-containers images list --json").stdout)
    return found
