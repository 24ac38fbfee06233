"""Several containers of one image, containers of root file systems that are there, images run once."""

import json
from collections.abc import Callable, Iterator

import pytest

from testhost.hello import APPLETS, SERVICE, HelloImage, start_hello
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
ROOT = "/srv/hello"


def config(*sources: str) -> str:
    """Return a runtime configuration that mounts sources at /data, /run and so on."""
    binds = [
        {"destination": at, "type": "bind", "source": source, "options": ["rbind", "rw"]}
        for source, at in zip(sources, ("/data", "/run"), strict=False)
    ]
    return json.dumps(
        {
            "ociVersion": "1.0.2",
            "process": {"args": ["/bin/hello"], "cwd": "/", "env": ["PATH=/bin"]},
            "root": {"path": "rootfs", "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                # else runc makes devices in the root file system itself
                {
                    "destination": "/dev",
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "mode=755"],
                },
                *binds,
            ],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
        }
    )


def instance(version: str) -> HelloImage:
    """Return an image whose host files and directories bear the container's name, and what it mounts."""
    manifest = {
        "renameFiles": {
            "/etc/hello": "/etc/$NAME",
            "/usr/local/bin/hellotool": "/usr/local/bin/${NAME}tool",
        },
        "installedFilesTemplate": ["/etc/hello/hello.conf"],
    }
    files = {
        "/exports/manifest.json": json.dumps(manifest),
        "/exports/config.json.template": config("$STATE_DIRECTORY/$NAME/db", "$RUN_DIRECTORY/$NAME"),
        "/exports/hostfs/etc/hello/hello.conf": f"$NAME {version}\n",
        f"/exports/hostfs/etc/hello/conf.d/{version}": "$NAME\n",
        "/exports/hostfs/usr/local/bin/hellotool": f"tool {version}\n",
    }
    return HelloImage(version, files=files, directories=("data",))


def found(host: Host, name: str) -> tuple[str, list[str], str]:
    """Return what a container has on the host: its file, the names in its directory, its tool."""
    conf, tool = host.read(f"/etc/{name}/hello.conf"), host.read(f"/usr/local/bin/{name}tool")
    return conf.strip(), host.run(f"ls /etc/{name}/conf.d").stdout.split(), tool.strip()


def test_two_of_one_image_go_their_own_ways(host: Host, push_hello: Push) -> None:
    """Each with renamed files, a renamed directory, and directories that are made because it mounts them."""
    image = push_hello(instance("1"), "hello:latest")
    for name in ("hello", "other"):
        host.run(f"os-containers install --insecure --name {name} {image}")
    made = "stat --format '%a %U %n' /var/lib/other /var/lib/other/db /run/other"
    assert host.run(made).stdout.splitlines() == [
        "755 root /var/lib/other",
        "700 root /var/lib/other/db",
        "700 root /run/other",
    ]
    host.run("systemctl start hello other")
    push_hello(instance("2"), "hello:latest")
    host.run("os-containers update --pull --insecure hello")
    assert found(host, "hello") == ("hello 2", ["2"], "tool 2")
    assert found(host, "other") == ("other 1", ["1"], "tool 1")
    host.run("os-containers update other && os-containers rollback hello")
    assert found(host, "hello") == ("hello 1", ["1"], "tool 1")
    assert found(host, "other") == ("other 2", ["2"], "tool 2")
    assert host.run("systemctl is-active hello other").stdout.split() == ["active", "active"]
    # as a boot does: the fragment of the second deployment still has what was there when it was made
    host.run("systemctl stop other && rmdir /run/other && systemd-tmpfiles --create && systemctl start other")
    host.run("os-containers run other touch /data/kept && os-containers uninstall other")
    assert not host.exists("/run/other")
    assert host.run("ls /var/lib/other/db /etc/other", check=False).stdout.splitlines() == [
        "/var/lib/other/db:",
        "kept",
    ]
    assert found(host, "hello") == ("hello 1", ["1"], "tool 1")
    host.run("os-containers check && os-containers uninstall hello && rm --recursive /var/lib/other")
    assert not host.exists("/etc/hello")
    assert not host.exists("/var/lib/hello")


@pytest.fixture
def root(host: Host) -> Iterator[str]:
    """Give a read-only mount with a root file system; what it is of may be written to."""
    for directory in ("bin", "data", "dev", "proc", "exports"):
        host.run(f"mkdir --parents {ROOT} {ROOT}-rw/{directory}")
    host.run(f"cp /usr/bin/busybox {ROOT}-rw/bin/")
    for applet in APPLETS:
        host.run(f"ln --symbolic busybox {ROOT}-rw/bin/{applet}")
    host.write(f"{ROOT}-rw/version", "1")
    host.write(f"{ROOT}-rw/bin/hello", SERVICE, mode=0o755)
    host.write(f"{ROOT}-rw/exports/config.json.template", config("$STATE_DIRECTORY/$NAME"))
    mount(host)
    yield ROOT
    host.run(f"umount {ROOT}", check=False)
    host.run(f"rm --recursive {ROOT} {ROOT}-rw")


def mount(host: Host) -> None:
    host.run(f"mount --bind {ROOT}-rw {ROOT} && mount --options remount,bind,ro {ROOT}")


def test_a_root_file_system_runs_where_it_is(host: Host, user: str, root: str) -> None:
    """A read-only mount, as root and as a user; nothing in it changes, and without it nothing starts."""
    contents = f"find {root}-rw -printf '%p %i %n %m %s %T@\\n'"
    before = host.run(contents).stdout
    for name, runtime in ((None, host.runtimes[-1]), (user, host.runtimes[0])):
        host.run(f"os-containers install --runtime {runtime} --name hello --rootfs {root}", user=name)
        start_hello(host, user=name)
        assert host.run("os-containers run hello cat /version", user=name).stdout == "1"
        updated = host.run("os-containers update hello", user=name)
        assert updated.stdout == "Latest version already deployed\n"
        (listed,) = json.loads(host.run("os-containers containers list --json", user=name).stdout)
        assert (listed["state"], listed["remote"]) == ("running", root)
        host.run("os-containers update --set UUID=1 hello && os-containers rollback hello", user=name)
        host.run("os-containers images prune && os-containers check", user=name)
        host.run("os-containers stop hello", user=name)
    host.run(f"umount {root}")
    for name in (None, user):
        failed = host.run("os-containers start hello", user=name, check=False)
        assert failed.returncode != 0
        assert f"{root} is empty" in failed.stderr
    mount(host)
    host.run("os-containers uninstall hello", user=user)
    host.run("os-containers uninstall hello")
    assert host.run(contents).stdout == before


def test_an_image_that_is_run_once_is_not_installed(host: Host, user: str, push_hello: Push) -> None:
    """It does its work through what it mounts; its exit code is that of install."""
    script = "#!/bin/sh\necho done >/data/result\nexit 7\n"
    image = push_hello(
        HelloImage(
            "1",
            files={"/exports/config.json.template": config("$STATE_DIRECTORY/once-data")},
            executables={"/bin/hello": script},
            config={"Labels": {"atomic.run": "once"}},
            directories=("data",),
        ),
        "once:latest",
    )
    for name, place in ((None, "/var/lib"), (user, f"/home/{user}/.local/share")):
        result = host.run(f"os-containers install --insecure {image}", user=name, check=False)
        assert (result.returncode, host.read(f"{place}/once-data/result")) == (7, "done\n"), result.stderr
        assert "is run once, and not installed" in result.stderr
        listed = host.run("os-containers containers list --all --json", user=name).stdout
        assert json.loads(listed) == []
        host.run(f"rm --recursive {place}/once-data")
