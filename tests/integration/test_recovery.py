"""Interrupted changes and damage, on a real systemd: killed, recovered, checked, repaired."""

import json
from collections.abc import Callable

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.inventory import differences, list_files
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
STORE = "/var/lib/containers/atomic"
UNIT = "os-containers-recover.service"
FILES = {"/exports/hostfs/usr/local/bin/hello-version": "version {}\n"}
# The journal's directory is synced when the journal is there, the units' when the new unit is in place.
KILLED_AT_SYNC = "-P {} -e trace=fsync -e inject=fsync:signal=SIGKILL:when=1"
BEFORE_COMMIT_POINT = KILLED_AT_SYNC.format(f"{STORE}/.journal")
BEHIND_COMMIT_POINT = KILLED_AT_SYNC.format("/etc/systemd/system")
# Its second sync comes when it says that the change is proven; it is removed when nothing else is left to do.
TIDYING_UP = (
    KILLED_AT_SYNC.format(f"{STORE}/.journal").replace("when=1", "when=2"),
    f"-P {STORE}/.journal/hello.json -e trace=unlink -e inject=unlink:signal=SIGKILL",
)
INVOCATION = "systemctl show --property=MainPID,InvocationID hello"
MAIN_PID = "systemctl show --property=MainPID --value hello"


def image(version: str) -> HelloImage:
    return HelloImage(version, files={path: text.format(version) for path, text in FILES.items()})


def install_two(host: Host, push_hello: Push) -> str:
    """Have version 1 run, and version 2 in the store; return the image's name."""
    name = push_hello(image("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {name}")
    start_hello(host)
    push_hello(image("2"), "hello:latest")
    host.run(f"os-containers pull --insecure {name}")
    return name


def check(host: Host) -> list[dict[str, str]]:
    done = host.run("os-containers check --json", check=False)
    found: list[dict[str, str]] = json.loads(done.stdout)
    assert done.returncode == (10 if found else 0)
    return found


def version(host: Host) -> str:
    return host.run("os-containers run hello cat /version").stdout


def kill_update(host: Host, *, when: str) -> None:
    """Kill an update at a system call."""
    script = f"strace -o /dev/null {when} os-containers update hello"
    assert host.run(script, check=False).returncode != 0


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (BEFORE_COMMIT_POINT, "1"),
        (BEHIND_COMMIT_POINT, "2"),
    ],
    ids=["before-the-commit-point", "behind-it"],
)
def test_b84_a_killed_update_is_recovered(host: Host, push_hello: Push, when: str, expected: str) -> None:
    """To the version before or after, running, with its host file; check is content then.

    What had not been stopped yet runs on.
    """
    install_two(host, push_hello)
    pid = host.run(MAIN_PID).stdout
    kill_update(host, when=when)
    assert [one["invariant"] for one in check(host)] != []
    said = host.run("os-containers recover").stderr
    assert "update of hello was interrupted" in said
    assert check(host) == []
    assert version(host) == expected
    assert (host.run(MAIN_PID).stdout == pid) is (expected == "1")
    assert host.read("/usr/local/bin/hello-version") == f"version {expected}\n"
    assert host.run("systemctl is-active hello").stdout == "active\n"
    host.run(f"ostree fsck --quiet --repo={STORE}/.storage/repo")


@pytest.mark.parametrize("when", TIDYING_UP, ids=["proven", "at-the-very-end"])
@pytest.mark.parametrize(
    "recover", ["os-containers recover", f"systemctl restart {UNIT}"], ids=["by-hand", "at-boot"]
)
def test_i14_a_change_that_was_killed_while_it_tidied_up_is_tidied_up(
    host: Host, push_hello: Push, when: str, recover: str
) -> None:
    """The service that runs is not stopped for that, nor is one started that somebody has stopped."""
    install_two(host, push_hello)
    for operation, expected in (("update", "2"), ("rollback", "1")):
        done = host.run(f"strace -o /dev/null {when} os-containers {operation} hello", check=False)
        assert done.returncode != 0
        before = host.run(INVOCATION).stdout
        assert check(host)[0]["invariant"] == "I13"
        assert "stopped" not in host.run("os-containers recover --dry-run").stdout
        host.run(recover)
        assert check(host) == []
        assert (version(host), host.run(INVOCATION).stdout) == (expected, before)
    given_up = json.loads(host.read(f"{STORE}/hello/info"))["given-up"]
    assert given_up["reason"] == "somebody rolled back from it"
    kill_update(host, when=when)
    host.run("systemctl stop hello")
    host.run(recover)
    assert check(host) == []
    assert host.run("systemctl is-active hello", check=False).stdout == "inactive\n"


def test_the_host_recovers_when_it_boots(host: Host, push_hello: Push) -> None:
    """The unit is enabled, and ordered before the containers."""
    install_two(host, push_hello)
    assert host.run(f"systemctl is-enabled {UNIT}").stdout == "enabled\n"
    assert UNIT in host.run("systemctl show --property=After --value hello").stdout
    kill_update(
        host,
        when=BEHIND_COMMIT_POINT,
    )
    host.run(f"systemctl start {UNIT}")
    # the new version was not seen to run: at boot the one that was gets its place again
    assert version(host) == "1"
    assert check(host) == []


def test_b93_repair_fetches_what_is_damaged(host: Host, push_hello: Push) -> None:
    """Beside the running service; the deployment has the right bytes again."""
    name = push_hello(image("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {name}")
    start_hello(host)
    before = host.run("systemctl show --property=InvocationID hello").stdout
    host.run(f"printf rotten > {STORE}/hello/rootfs/version")
    assert [one["invariant"] for one in check(host)] == ["I10"]
    done = host.run("os-containers repair", check=False)
    # the registry speaks plain http
    assert (done.returncode, "--tls-verify=false allows it" in done.stderr) == (10, True)
    assert "pulling" in host.run("os-containers repair --insecure").stderr
    assert check(host) == []
    assert host.read(f"{STORE}/hello/rootfs/version") == "1"
    assert host.run("systemctl show --property=InvocationID hello").stdout == before
    host.run(f"ostree fsck --quiet --repo={STORE}/.storage/repo")


def test_b93_an_object_that_has_become_a_directory_is_fetched_again(host: Host, push_hello: Push) -> None:
    """As after a repair of the file system by fsck; so is a ref."""
    name = push_hello(image("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {name}")
    repo = f"{STORE}/.storage/repo"
    found = host.run(f"find {repo}/objects -samefile {STORE}/hello/rootfs/version").stdout.strip()
    pin = f"{repo}/refs/heads/os-containers/deploy/hello/1"
    for path in (found, pin):
        host.run(f"rm {path} && mkdir {path}")
    assert [one["invariant"] for one in check(host)] == ["I11", "I10"]
    host.run("os-containers repair --insecure")
    assert check(host) == []
    host.run(f"ostree fsck --quiet --repo={repo}")


def test_repair_of_a_sound_host_changes_nothing(host: Host, push_hello: Push) -> None:
    """Whatever it looks at."""
    install_two(host, push_hello)
    files = list_files(host.root)
    host.run("os-containers repair")
    changed = [line for line in differences(files, list_files(host.root)) if "/.locks" not in line]
    assert changed == []
