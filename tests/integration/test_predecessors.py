"""A container that runs as a predecessor made it, on a real systemd with a real runtime."""

import hashlib
import json
from collections.abc import Callable

from testhost.hello import HelloImage
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
STORE = "/var/lib/containers/atomic"
OLD = f"{STORE}/hello.0"
FILES = {
    "/exports/manifest.json": '{{"version": "1.0", "defaultValues": {{"GREETING": "hello {0}"}}}}',
    "/exports/hostfs/usr/local/bin/hello-version": "version {0}\n",
    "/exports/hostfs/etc/hello.conf": "conf {0}\n",
}
UNIT = """\
[Unit]
Description=hello, as a predecessor wrote it
[Service]
ExecStartPre=-{runtime} delete --force hello
ExecStart={runtime} --systemd-cgroup run 'hello'
ExecStop={runtime} --systemd-cgroup kill 'hello'
WorkingDirectory={old}
[Install]
WantedBy=multi-user.target
"""
FRAGMENT = "d /run/hello - - - - -\n"


def image(version: str) -> HelloImage:
    return HelloImage(version, files={path: text.format(version) for path, text in FILES.items()})


def install_as_the_go_tool_did(host: Host, name: str, runtime: str) -> None:
    """Have version 1 of an image as its rootfs is, and everything around it as the Go tool wrote it."""
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {name}")
    digest = json.loads(host.read(f"{STORE}/hello/info"))["revision"].removeprefix("sha256:")
    program = host.run(f"command -v {runtime}").stdout.strip()
    host.run(f"cp --archive {STORE}/hello/rootfs /root/rootfs && cp {STORE}/hello/config.json /root/")
    host.run("os-containers uninstall hello")
    host.run(f"mkdir {OLD} && mv /root/rootfs /root/config.json {OLD}/")
    config = json.loads(host.read(f"{OLD}/config.json"))
    del config["linux"]["cgroupsPath"]
    host.write(f"{OLD}/config.json", json.dumps(config))
    installed = {path.removeprefix("/exports/hostfs"): text.format("1") for path, text in FILES.items()}
    del installed["/exports/manifest.json"]
    info = {
        "ostree-commit": "0",
        "has-container-service": True,
        "revision": digest,
        "remote": "",
        "image": name,
        "created": 1535000000,
        "runtime": program,
        "installed-files": list(installed),
        "installed-files-template": None,
        "installed-files-checksum": {
            path: hashlib.sha256(text.encode()).hexdigest() for path, text in installed.items()
        },
        "rename-installed-files": None,
        "values": {"GREETING": "hello 1", "MINE": "set", "UUID": "u", "NAME": "hello", "DESTDIR": OLD},
    }
    unit = UNIT.format(runtime=program, old=OLD)
    for path, text in {
        **installed,
        f"{OLD}/info": json.dumps(info),
        f"{OLD}/hello.service": unit,
        f"{OLD}/tmpfiles-hello.conf": FRAGMENT,
        "/etc/systemd/system/hello.service": unit,
        "/etc/tmpfiles.d/tmpfiles-hello.conf": FRAGMENT,
    }.items():
        host.write(path, text)
    host.run(f"ln --symbolic {OLD} {STORE}/hello")
    host.run("systemctl daemon-reload && systemctl enable hello && systemctl start hello")
    # not by the unit: the runtime puts the container into a scope of its own
    host.run(f"until {runtime} exec hello true; do sleep 0.05; done", timeout=20)


def show(host: Host) -> dict[str, str]:
    properties = "ActiveState,UnitFileState,MainPID,NRestarts"
    shown = host.run(f"systemctl show hello --property={properties}").stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def version(host: Host) -> str:
    return host.run("os-containers run hello cat /version").stdout


def is_sound(host: Host) -> bool:
    return host.run("os-containers check --json", check=False).stdout.strip() == "[]"


def test_a_predecessors_container_lives_on(host: Host, push_hello: Push, runtime: str) -> None:
    """Listed, joined, updated, rolled back and uninstalled; what somebody has edited stays."""
    name = push_hello(image("1"), "hello:latest")
    install_as_the_go_tool_did(host, name, runtime)
    before = show(host)
    (listed,) = json.loads(host.run("os-containers containers list --json").stdout)
    assert (listed["name"], listed["state"], listed["serial"]) == ("hello", "running", 0)
    assert is_sound(host)
    assert version(host) == "1"
    # a failure changes nothing, and the service goes on as it is
    failed = host.run("os-containers update --rebase 127.0.0.1:1/none hello", check=False)
    assert failed.returncode != 0
    assert (show(host), host.run(f"readlink {STORE}/hello").stdout.strip()) == (before, OLD)
    # killed while it swaps two deployments, the Go tool leaves this
    host.run(f"rm {STORE}/hello")
    (listed,) = json.loads(host.run("os-containers containers list --all --json").stdout)
    assert (listed["name"], listed["state"]) == ("hello", "broken")
    assert host.run("os-containers check", check=False).returncode == 10
    host.run("os-containers repair")
    assert (show(host), is_sound(host)) == (before, True)
    host.write("/etc/hello.conf", "mine\n")
    # the store knows no image of that name, and the registry has another one by now
    push_hello(image("2"), "hello:latest")
    host.run(f"os-containers images delete {name}")
    host.run("os-containers update --insecure hello")
    assert version(host) == "2"
    assert show(host)["ActiveState"] == "active"
    assert show(host)["UnitFileState"] == "enabled"
    assert host.read("/usr/local/bin/hello-version") == "version 2\n"
    record = json.loads(host.read(f"{STORE}/hello/info"))
    assert (record["values"]["GREETING"], record["values"]["MINE"]) == ("hello 2", "set")
    assert is_sound(host)
    host.run("os-containers rollback hello")
    assert version(host) == "1"
    assert host.run(f"readlink --canonicalize {STORE}/hello").stdout.strip() == OLD
    assert host.read("/usr/local/bin/hello-version") == "version 1\n"
    assert show(host)["ActiveState"] == "active"
    assert is_sound(host)
    host.run("os-containers uninstall hello")
    assert host.read("/etc/hello.conf") == "mine\n"
    host.run("rm /etc/hello.conf /etc/hello.conf.os-containers-new", check=False)
    assert host.run("systemctl status hello", check=False).returncode == 4
    assert host.run(f"ls {STORE}").stdout == ""
