"""Faults that only a real host has: its calls fail (strace injects that), or its programs do."""

from collections.abc import Callable

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.machine import Host, Result

Push = Callable[[HelloImage, str], str]


STRACE = "strace --follow-forks --quiet=all --output=/dev/null"


def update_with(host: Host, fault: str) -> Result:
    """Update with a fault at some of its system calls."""
    return host.run(f"{STRACE} -e {fault} os-containers update hello", check=False)


def opened_before_staging(host: Host) -> int:
    """Return at which of its openat calls an update begins to write; before that it cannot leave anything."""
    fault = "-e inject=syncfs:error=EIO:when=1 -e trace=openat,syncfs"
    host.run(f"strace --quiet=all --output=/run/trace {fault} os-containers update hello", check=False)
    opened = [line for line in host.read("/run/trace").splitlines() if line.startswith("openat(")]
    host.run("rm /run/trace")
    return next(number for number, line in enumerate(opened, 1) if "/.staging" in line)


@pytest.fixture
def version_1(host: Host, push_hello: Push) -> str:
    """Have version 1 run and version 2 in the store; return which process it is."""
    files = {"/exports/hostfs/etc/hello.conf": "1\n"}
    image = push_hello(HelloImage("1", files=files), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    start_hello(host)
    push_hello(HelloImage("2", files=files), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    return main_process(host)


def main_process(host: Host) -> str:
    return host.run("systemctl show --property=MainPID hello").stdout


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("inject=fsync:error=EIO:when=1", id="b83_fsync"),
        pytest.param("inject=syncfs:error=EIO:when=1", id="b83_syncfs"),
        pytest.param("inject=fsync:error=EDQUOT:when=1", id="b80_quota"),
        pytest.param("inject=openat:error=ENFILE:when={staging}+", id="b82_enfile"),
        pytest.param("inject=openat:error=ENOMEM:when={staging}+", id="b82_enomem"),
    ],
)
def test_a_fault_before_the_service_is_stopped_changes_nothing(
    host: Host, version_1: str, fault: str
) -> None:
    """Exit code 8 and one line of fact; the service has not noticed, and the next update works."""
    done = update_with(host, fault.format(staging=opened_before_staging(host)) if "{" in fault else fault)
    assert done.returncode == 8, done.stderr
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert main_process(host) == version_1
    assert host.run("os-containers check --json").stdout.strip() == "[]"
    host.run("os-containers update hello")
    assert host.run("os-containers run hello cat /version").stdout == "2"


def test_b82_a_pull_with_few_descriptors_is_no_fault_of_the_image(host: Host, push_hello: Push) -> None:
    """Nor of skopeo, which is asked to pass a descriptor for each pipe."""
    image = push_hello(HelloImage("1"), "hello:latest")
    codes = set()
    for limit in (*range(9, 20), 24, 64):
        done = host.run(f"ulimit -S -n {limit}; os-containers pull --insecure {image}", check=False)
        codes.add(done.returncode)
        assert done.returncode in {0, 8}, (limit, done.stderr)
        assert "Traceback" not in done.stderr
    assert codes == {0, 8}


@pytest.mark.parametrize("directory", ["ociimage", "os-containers"])
def test_b94_prune_with_refs_that_cannot_be_read_removes_nothing(
    host: Host, version_1: str, directory: str
) -> None:
    """As when the disk has lost the directory: what is in it may need anything."""
    repo = "/var/lib/containers/atomic/.storage/repo"
    path = f"{repo}/refs/heads/{directory}"
    fault = f"{STRACE} -P {path} -e inject=openat:error=EIO:when=1"
    objects = host.run(f"find {repo}/objects {repo}/refs -type f | sort").stdout
    done = host.run(f"{fault} os-containers images prune", check=False)
    assert done.returncode == 8, done.stderr
    assert host.run(f"find {repo}/objects {repo}/refs -type f | sort").stdout == objects
    assert main_process(host) == version_1


@pytest.mark.parametrize("line", ["f /proc/hello - - - - x", "d /proc/sys/hello - - - -"])
def test_b92_what_tmpfiles_cannot_make_undoes_the_change(host: Host, push_hello: Push, line: str) -> None:
    """An install leaves nothing, after an update the old version runs; systemd-tmpfiles' words are told."""
    bad = {"/exports/tmpfiles.template": f"{line}\n"}
    image = push_hello(HelloImage("1", files=bad), "hello:latest")
    done = host.run(f"os-containers install --insecure --name hello {image}", check=False)
    assert done.returncode == 8, done.stderr
    assert "systemd-tmpfiles" in done.stderr
    assert not host.exists("/etc/systemd/system/hello.service")
    assert host.run("os-containers containers list --all --json").stdout.strip() == "[]"
    good = {"/exports/tmpfiles.template": "d /run/hello-test - - - -\n"}
    push_hello(HelloImage("2", files=good), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    host.run(f"os-containers install --name hello {image}")
    start_hello(host)
    push_hello(HelloImage("3", files=bad), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    done = host.run("os-containers update hello", check=False)
    assert done.returncode == 8, done.stderr
    assert host.run("os-containers run hello cat /version").stdout == "2"
    assert host.run("systemctl is-active hello").stdout == "active\n"
