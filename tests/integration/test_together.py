"""Commands at the same time: the result is that of some order (I20)."""

from collections.abc import Callable

from testhost.hello import HelloImage, start_hello
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
REPO = "/var/lib/containers/atomic/.storage/repo"


INTERRUPTED_UPDATE = """
os-containers update hello 2> /run/update.log & update=$!
until grep --quiet 'systemctl start' /run/update.log; do sleep 0.1; done
sleep 0.5
kill -{signal} $update
wait $update; code=$?
cat /run/update.log >&2; rm /run/update.log
exit $code
"""


def codes(host: Host, *commands: str) -> list[int]:
    """Run commands at once and return their exit codes, sorted."""
    started = " ".join(f"({command}) & pids+=($!);" for command in commands)
    script = f'pids=(); {started} for pid in "${{pids[@]}}"; do wait $pid; echo "code $?"; done'
    said = host.run(script).stdout.splitlines()
    return sorted(int(line.split()[1]) for line in said if line.startswith("code "))


def test_b87_two_installs_of_one_name(host: Host, push_hello: Push) -> None:
    """One makes the container, the other finds it there."""
    install = f"os-containers install --insecure --name hello {push_hello(HelloImage('1'), 'hello:latest')}"
    assert codes(host, install, install, install) == [0, 6, 6]
    start_hello(host)


def test_b87_two_pulls_of_one_image(host: Host, push_hello: Push) -> None:
    """Both have it, and the repo is sound."""
    pull = f"os-containers pull --insecure {push_hello(HelloImage('1'), 'hello:latest')}"
    assert codes(host, pull, pull) == [0, 0]
    host.run(f"ostree fsck --quiet --repo={REPO}")


def test_b87_an_update_beside_rollbacks_and_prunes(host: Host, push_hello: Push) -> None:
    """Whatever came last, one version runs, and both deployments are whole."""
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    start_hello(host)
    push_hello(HelloImage("2"), "hello:latest")
    host.run("os-containers update --pull --insecure hello")
    rollback, prune = "os-containers rollback hello", "os-containers images prune"
    assert codes(host, rollback, prune, rollback, prune) == [0, 0, 0, 0]
    assert host.run("os-containers run hello cat /version").stdout == "2"
    assert host.run("systemctl is-active hello").stdout == "active\n"
    host.run(f"ostree fsck --quiet --repo={REPO}")


def test_b85_a_command_that_is_interrupted_leaves_the_state_from_before(host: Host, push_hello: Push) -> None:
    """An update whose service takes its time to start, ended by Ctrl-C or by SIGTERM."""
    slow = "[Service]\nType=oneshot\nExecStart=/bin/sleep 60\n[Install]\nWantedBy=multi-user.target\n"
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}")
    start_hello(host)
    push_hello(HelloImage("2", files={"/exports/service.template": slow}), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    for signal, code in (("INT", 130), ("TERM", 143)):
        done = host.run(INTERRUPTED_UPDATE.format(signal=signal), check=False)
        assert done.returncode == code
        assert "going back to the previous state" in done.stderr
        assert host.run("os-containers run hello cat /version").stdout == "1"
        assert host.run("ls /var/lib/containers/atomic/.deploy/hello").stdout == "1\n"
