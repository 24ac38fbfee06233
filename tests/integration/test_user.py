"""Everything as an ordinary user: systemctl --user, a bare-user repo, a user namespace."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from testhost.hello import NEVER_READY, WAITS, HelloImage, start_hello
from testhost.machine import Host, Result

Push = Callable[[HelloImage, str], str]
EXPORTS = {
    "/exports/hostfs/etc/hello.conf": "x\n",
    "/exports/tmpfiles.template": "d $RUN_DIRECTORY/hello 0700 $HOST_UID $HOST_GID -\n",
}


@pytest.fixture
def as_user(host: Host, user: str) -> Callable[..., Result]:
    def run(command: str, **options: bool) -> Result:
        return host.run(command, user=user, **options)

    return run


def test_the_whole_life_as_a_user(
    host: Host, user: str, as_user: Callable[..., Result], push_hello: Push, runtime: str
) -> None:
    """Install, start, update, roll back, uninstall; nothing outside the home changes."""
    image = push_hello(HelloImage("1", files=EXPORTS), "hello:latest")
    as_user(f"os-containers pull --insecure {image}")
    said = as_user(f"os-containers install --runtime {runtime} --name hello {image}").stderr
    assert "only root can install host files; not copied: /etc/hello.conf" in said
    assert not host.exists("/etc/hello.conf")
    start_hello(host, user=user)
    uid = as_user("id -u").stdout.strip()
    cgroup = as_user("systemctl --user show --property=ControlGroup --value hello").stdout.strip()
    inside = as_user(f"cat /sys/fs/cgroup{cgroup}/container/cgroup.procs").stdout.split()
    assert inside
    assert as_user(f"stat --format %u /proc/{inside[0]}").stdout.strip() == uid
    assert as_user("os-containers run hello id -u").stdout == "0\n"
    assert host.exists(f"/run/user/{uid}/hello")
    push_hello(HelloImage("2", files=EXPORTS), "hello:latest")
    said = as_user("os-containers update --pull --insecure hello").stderr
    assert "for root only" not in said  # it was said already
    assert as_user("os-containers run hello cat /version").stdout == "2"
    as_user("os-containers rollback hello")
    assert as_user("os-containers run hello cat /version").stdout == "1"
    (listed,) = json.loads(as_user("os-containers containers list --json").stdout)
    assert listed["state"] == "running"
    repo = as_user("echo $HOME/.local/share/containers/atomic/.storage/repo").stdout.strip()
    assert "mode=bare-user\n" in host.read(f"{repo}/config")
    as_user("os-containers uninstall hello")
    assert as_user("systemctl --user status hello", check=False).returncode == 4


def test_b89_a_user_has_a_store_of_his_own(
    host: Host, as_user: Callable[..., Result], push_hello: Push
) -> None:
    """Root does not see it, nor he root's."""
    image = push_hello(HelloImage("1"), "hello:latest")
    as_user(f"os-containers install --insecure --name mine {image}")
    host.run(f"os-containers install --insecure --name roots {image}")
    assert [
        one["name"] for one in json.loads(host.run("os-containers containers list --all --json").stdout)
    ] == ["roots"]
    listed = json.loads(as_user("os-containers containers list --all --json").stdout)
    assert [one["name"] for one in listed] == ["mine"]


def test_b89_root_and_a_user_at_once(host: Host, user: str, push_hello: Push) -> None:
    """Each has a container of that name; root with the user's environment, as sudo leaves it, is root."""
    image = push_hello(HelloImage("1"), "hello:latest")
    home = f"/home/{user}"
    install = f"os-containers install --insecure --name hello {image}"
    environment = f"env HOME={home} XDG_DATA_HOME={home}/.local/share XDG_CONFIG_HOME={home}/.config"
    with ThreadPoolExecutor() as pool:
        commands = [(f"{environment} {install}", None), (install, None), (install, user)]
        started = [pool.submit(host.run, line, user=who, check=False) for line, who in commands]
        codes = [one.result().returncode for one in started]
    assert (sorted(codes[:2]), codes[2]) == ([0, 6], 0)
    assert host.exists("/etc/systemd/system/hello.service")
    assert host.exists(f"{home}/.config/systemd/user/hello.service")
    assert host.run(f"find {home} ! -user {user} -not -path '*/containers/cache/*'").stdout == ""
    for who in (None, user):
        assert host.run("os-containers check --json", user=who).stdout.strip() == "[]"


def test_run_as_a_user(
    host: Host, user: str, as_user: Callable[..., Result], push_hello: Push, runtime: str
) -> None:
    """In all three forms, with our exit code."""
    command = "sh -c 'id -u; exit 42'"
    image = push_hello(HelloImage("1"), "hello:latest")
    as_user(f"os-containers pull --insecure {image}")
    in_image = as_user(f"os-containers run --runtime {runtime} {image} {command}", check=False)
    as_user(f"os-containers install --runtime {runtime} --name hello {image}")
    stopped = as_user(f"os-containers run hello {command}", check=False)
    start_hello(host, user=user)
    running = as_user(f"os-containers run hello {command}", check=False)
    for done in (in_image, stopped, running):
        assert (done.returncode, done.stdout) == (42, "0\n")


def test_a_users_volume_is_writable_for_the_images_user(
    host: Host, user: str, as_user: Callable[..., Result], push_hello: Push, runtime: str
) -> None:
    """Whose id on the host is one of the user's subordinate ids."""
    service = "#!/bin/sh\nid > /data/log\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n"
    config = {"User": "worker", "Volumes": {"/data": {}}}
    accounts = {
        "/etc/passwd": "worker:x:4242:4243::/:/bin/sh\n",
        "/etc/group": "worker:x:4243:\nextra:x:4244:worker\n",
    }
    image = push_hello(
        HelloImage("1", files=accounts, executables={"/bin/hello": service}, config=config), "hello:latest"
    )
    as_user(f"os-containers install --insecure --runtime {runtime} --name hello {image}")
    as_user("systemctl --user start hello")
    as_user("until grep uid=4242 ~/.local/share/hello/data/log; do sleep 0.1; done")
    as_user("os-containers run hello sh -c 'echo > /data/log'")
    # what everybody on the host may write to is behind a door
    assert as_user("stat --format %a ~/.local/share/hello").stdout == "700\n"
    said = as_user("os-containers uninstall hello").stderr
    assert f"kept /home/{user}/.local/share/hello: the data of hello" in said
    host.run(f"rm -r /home/{user}/.local/share/hello")


@pytest.fixture
def worker(push_hello: Push) -> str:
    """Return the name of an image with a volume that is written to by one of the user's subordinate ids."""
    accounts = {"/etc/passwd": "worker:x:4242:4243::/:/bin/sh\n", "/etc/group": "worker:x:4243:\n"}
    config = {"User": "worker", "Volumes": {"/data": {}}}
    return push_hello(HelloImage("1", files=accounts, config=config), "hello:latest")


WRITE = "busybox mkdir -p -m 700 /data/mine/its && echo > /data/mine/its/file && ls /data/mine/its"


def test_the_volumes_of_a_users_command_go_with_it(
    as_user: Callable[..., Result], worker: str, runtime: str
) -> None:
    """Also what is of a subordinate id."""
    as_user(f"os-containers pull --insecure {worker}")
    done = as_user(f"os-containers run --runtime {runtime} {worker} sh -c '{WRITE}'")
    assert (done.stdout, done.stderr) == ("file\n", "")
    assert what_is_left(as_user) == ["containers"]


@pytest.mark.parametrize("command", ["recover", "images prune"])
def test_the_volumes_of_a_users_killed_command_are_told_and_go(
    as_user: Callable[..., Result], worker: str, runtime: str, command: str
) -> None:
    """With its bundle, when it has ended."""
    as_user(f"os-containers pull --insecure {worker}")
    script = f"{WRITE}; trap exit\\ 0 TERM; while :; do sleep 0.1; done"
    # not in /tmp: the runtime gives it to the worker
    as_user(
        f"os-containers run --runtime {runtime} {worker} sh -c '{script}' < /dev/null > ~/up 2>&1 & pid=$!;"
        "until test -s ~/up; do sleep 0.1; done; kill -KILL $pid; rm --force ~/up"
    )
    told = as_user(f"os-containers {command}").stderr
    ended = re.search(r"its os-containers was killed; to stop it: (systemctl --user stop \S+\.scope)", told)
    assert ended, told
    as_user(ended[1])
    found = as_user("os-containers check --json", check=False)
    assert (found.returncode, "a killed command left this" in found.stdout) == (10, True)
    as_user(f"os-containers {command}")
    assert what_is_left(as_user) == ["containers"]
    assert as_user("os-containers check --json").stdout.strip() == "[]"


def what_is_left(as_user: Callable[..., Result]) -> list[str]:
    return as_user("ls ~/.local/share; ls ~/.local/share/containers/atomic/.staging").stdout.split()


def test_the_service_starts_with_the_users_session(as_user: Callable[..., Result], push_hello: Push) -> None:
    """Also if the image's unit says multi-user.target, as most do."""
    unit = "[Service]\nExecStart=$EXEC_START\n[Install]\nWantedBy=multi-user.target\n"
    image = push_hello(HelloImage("1", files={"/exports/service.template": unit}), "hello:latest")
    as_user(f"os-containers install --insecure --name hello {image}")
    wants = as_user("ls ~/.config/systemd/user/default.target.wants").stdout.split()
    assert wants == ["hello.service"]


def test_a_service_that_is_not_ready_in_time_is_explained_to_a_user_too(
    as_user: Callable[..., Result], push_hello: Push
) -> None:
    """By what it said while systemd waited for it, from the user's own journal."""
    image = push_hello(HelloImage("1", files=NEVER_READY, executables={"/bin/hello": WAITS}), "hello:latest")
    as_user(f"os-containers install --insecure --name hello {image}")
    failed = as_user("os-containers start hello", check=False)
    why = "it did not report that it was ready within TimeoutStartSec=4s; its last words: no database yet"
    assert (failed.returncode, f"error: hello.service did not start: {why}\n" in failed.stderr) == (9, True)
    as_user("os-containers uninstall hello")
