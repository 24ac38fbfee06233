"""An image without /exports runs as its image config says."""

from collections.abc import Callable

from testhost.hello import HelloImage
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nworker:x:4242:4243::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nworker:x:4243:\nextra:x:4244:worker\n",
}


def run(host: Host, image: str, command: str, options: str = "") -> str:
    return host.run(f"os-containers run {options} {image} -- {command}").stdout


def test_user_environment_and_directory_are_the_images(host: Host, push_hello: Push, runtime: str) -> None:
    """Names are looked up in the image's own passwd and group."""
    config = {"User": "worker", "Env": ["PATH=/bin", "COLOR=blue"], "WorkingDir": "/var/lib"}
    image = push_hello(HelloImage("1", files=ACCOUNTS, config=config), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    said = run(host, image, "sh -c 'id; pwd; echo $COLOR'", f"--runtime {runtime}")
    assert said.splitlines()[0].startswith(
        "uid=4242(worker) gid=4243(worker) groups=4243(worker),4244(extra)"
    )
    assert said.splitlines()[1:] == ["/var/lib", "blue"]


def test_the_root_is_read_only_and_some_places_are_not(host: Host, push_hello: Push, runtime: str) -> None:
    """A write to the rootfs would be a write to the repo."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    script = (
        "sh -c 'for d in / /bin /etc /run /tmp /var/tmp; do touch $d/x 2>/dev/null && echo $d; done; true'"
    )
    assert run(host, image, script, f"--runtime {runtime}").split() == ["/run", "/tmp", "/var/tmp"]


def test_the_network_is_the_hosts(host: Host, push_hello: Push, runtime: str) -> None:
    """A system container is a host service."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    inside = run(host, image, "ls -l /proc/self/ns/net", f"--runtime {runtime}")
    assert host.run("readlink /proc/self/ns/net").stdout.strip() in inside


def test_a_volume_is_a_directory_of_the_host_that_stays(host: Host, push_hello: Push, runtime: str) -> None:
    """Over updates and after uninstall, which says so; it belongs to the image's user."""
    service = "#!/bin/sh\necho once >> /data/log\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n"
    config = {"User": "worker", "Volumes": {"/data": {}}}
    image = HelloImage("1", files=ACCOUNTS, executables={"/bin/hello": service}, config=config)
    name = push_hello(image, "hello:latest")
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {name}")
    host.run("systemctl start hello")
    host.run("until test -s /var/lib/hello/data/log; do sleep 0.1; done")
    assert host.run("stat --format '%u:%g' /var/lib/hello/data").stdout.strip() == "4242:4243"
    push_hello(
        HelloImage("2", files=ACCOUNTS, executables={"/bin/hello": service}, config=config), "hello:latest"
    )
    host.run("os-containers update --pull --insecure hello")
    host.run("until [ $(wc -l < /var/lib/hello/data/log) = 2 ]; do sleep 0.1; done")
    for again in (f"os-containers install --runtime {runtime} --name hello {name}", "true"):
        said = host.run("os-containers uninstall hello").stderr
        assert "kept /var/lib/hello: the data of hello" in said
        # over the data of the first, which are its own by now
        host.run(again)
    host.run("rm -r /var/lib/hello")


def test_an_image_without_a_command_is_refused(host: Host, push_hello: Push) -> None:
    """With a hint for its author."""
    image = push_hello(HelloImage("1", config={"Cmd": None}), "hello:latest")
    failed = host.run(f"os-containers install --insecure {image}", check=False)
    assert failed.returncode == 4
    assert "error: the image names no command to run" in failed.stderr


NOTIFYING_UNIT = """\
[Service]
Type=notify
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
WorkingDirectory=$DESTDIR
TimeoutStartSec=60
[Install]
WantedBy=multi-user.target
"""
# the host's own systemd-notify, with its libraries: busybox has nothing that writes to a unix socket
NOTIFYING_SERVICE = """\
#!/bin/sh
trap 'exit 0' TERM
until [ -e /gate/open ]; do sleep 0.1; done
libraries=/host/lib/x86_64-linux-gnu:/host/lib/x86_64-linux-gnu/systemd
/host/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path $libraries /host/bin/systemd-notify --ready
while :; do sleep 0.1; done
"""
NOTIFYING_CONFIG = """\
{"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": true},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/hello"], "env": ["PATH=/bin"]},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/host", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/gate", "type": "bind", "source": "/srv/gate", "options": ["bind", "ro"]}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}}
"""


def test_readiness_passes_through(host: Host, push_hello: Push, runtime: str) -> None:
    """With Type=notify, systemctl start returns when the container says READY=1, not before."""
    image = HelloImage(
        "1",
        files={
            "/exports/service.template": NOTIFYING_UNIT,
            "/exports/config.json.template": NOTIFYING_CONFIG,
        },
        executables={"/bin/hello": NOTIFYING_SERVICE},
    )
    name = push_hello(image, "hello:latest")
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {name}")
    host.run("mkdir /srv/gate && systemctl start --no-block hello")
    host.run(f"until {runtime} list --quiet | grep --quiet hello; do sleep 0.05; done", timeout=30)
    assert host.run("systemctl is-active hello", check=False).stdout == "activating\n"
    host.run("touch /srv/gate/open")
    host.run("until systemctl is-active --quiet hello; do sleep 0.05; done", timeout=30)
    host.run("systemctl stop hello && rm -r /srv/gate")
