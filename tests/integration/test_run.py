"""`run`: in a running container, beside a stopped one, in an image."""

import re
from collections.abc import Callable

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]


@pytest.fixture
def image(host: Host, push_hello: Push) -> str:
    name = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {name}")
    return name


@pytest.fixture(params=["running", "stopped", "image"])
def target(request: pytest.FixtureRequest, host: Host, image: str, runtime: str) -> str:
    """Return what to run in, in each of the three forms."""
    if request.param == "image":
        return f"--runtime {runtime} {image}"
    host.run(f"os-containers install --runtime {runtime} --name hello {image}")
    if request.param == "running":
        start_hello(host)
    return "hello"


def test_the_exit_code_is_ours(host: Host, target: str) -> None:
    """And output goes where it belongs."""
    done = host.run(f"os-containers run {target} -- sh -c 'echo out; echo err >&2; exit 42'", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")


def test_arguments_pass_unchanged(host: Host, target: str) -> None:
    """Options of the command are the command's."""
    done = host.run(["bash", "-c", f"""os-containers run {target} echo -n --set "a  b" '$x' --help"""])
    assert done.stdout == "-n --set a  b $x --help".removeprefix("-n ")


def test_a_command_is_run_as_is_said(host: Host, target: str) -> None:
    """Its user, environment and directory; -it is as it is anyway."""
    manner = "-it --user 4242:43 --env COLOR=red --workdir /tmp"
    said = host.run(f"os-containers run {manner} {target} sh -c 'id -u; id -g; echo $COLOR; pwd'").stdout
    assert said.split() == ["4242", "43", "red", "/tmp"]


def test_stdin_is_a_terminal_if_ours_is_one(host: Host, target: str) -> None:
    """Nothing else decides it."""
    script = "sh -c 'test -t 0 && echo yes || echo no'"
    assert host.run(f"os-containers run {target} {script}").stdout == "no\n"
    code, shown = host.run_on_terminal(f"os-containers run {target} {script}")
    # crun 1.21 now and then writes the time before what the command writes
    assert (code, shown.strip().removesuffix("\x1b[0m").strip()[-3:]) == (0, "yes")


def test_stdin_reaches_the_command(host: Host, target: str) -> None:
    """As in a pipe."""
    assert host.run(f"os-containers run {target} cat", stdin="through").stdout == "through"


def test_nothing_is_left_behind(host: Host, target: str) -> None:
    """No container of the runtime, no directory."""
    host.run(f"os-containers run {target} true")
    assert what_is_left(host) == []


def test_a_command_runs_on_when_who_waits_for_it_is_killed(host: Host, image: str, runtime: str) -> None:
    """It is told, and for a person to end; then there is nothing of it."""
    script = "trap exit\\ 0 TERM; echo up; while :; do sleep 0.1; done"
    host.run(
        f"os-containers run --runtime {runtime} {image} sh -c '{script}' < /dev/null > /tmp/up 2>&1 & pid=$!;"
        "until test -s /tmp/up; do sleep 0.1; done; kill -KILL $pid; rm /tmp/up"
    )
    told = host.run("os-containers recover").stderr
    ended = re.search(r"its os-containers was killed; to stop it: (systemctl stop \S+\.scope)", told)
    assert ended, told
    assert "is still running" in host.run("os-containers check").stderr
    host.run(ended[1])
    assert "is still running" not in host.run("os-containers recover").stderr
    assert what_is_left(host) == []


@pytest.mark.parametrize("who", ["root", "user"])
def test_a_command_in_a_running_container_runs_on_when_who_waits_for_it_is_killed(
    host: Host, user: str, push_hello: Push, runtime: str, who: str
) -> None:
    """It is told as any other, while it runs and nobody waits for it, and for a person to end."""
    one = user if who == "user" else None
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {image}", user=one)
    start_hello(host, user=one)
    script = "trap exit\\ 0 TERM; echo up; while :; do sleep 0.1; done"
    up = f"~/up-{runtime}"
    host.run(
        f"(os-containers exec hello sh -c '{script}' < /dev/null > {up} 2>&1 & echo $! > ~/pid);"
        f"until test -s {up}; do sleep 0.1; done; rm --force {up}",
        user=one,
    )
    look = ("recover", "recover --dry-run", "images prune", "check")
    for command in look:
        done = host.run(f"os-containers {command}", user=one)
        assert "is still running" not in done.stdout + done.stderr
    host.run("kill -KILL $(cat ~/pid) && rm ~/pid", user=one)
    systemctl = "systemctl --user" if one else "systemctl"
    for command in look:
        done = host.run(f"os-containers {command}", user=one)
        told = re.search(
            rf"(hello-[0-9a-f]{{8}}) is still running, but its os-containers was killed; "
            rf"to stop it: ({systemctl} stop \1\.scope)",
            done.stdout + done.stderr,
        )
        assert told, (command, done)
    host.run(told[2], user=one)
    assert "is still running" not in host.run("os-containers recover", user=one).stderr
    assert host.run("os-containers exec hello busybox ps", user=one).stdout.count("trap") == 0
    assert host.run(f"{systemctl} is-active hello", user=one).stdout == "active\n"


def what_is_left(host: Host) -> list[str]:
    lists = [f"{runtime} list --quiet" for runtime in host.runtimes]
    shown = [host.run(one).stdout for one in (*lists, "ls /var/lib/containers/atomic/.staging")]
    return [name for name in "".join(shown).split() if name != "hello"]


def test_a_missing_command_is_told(host: Host, target: str) -> None:
    """With the exit code of a shell; also where only the runtime finds out, and what it cannot run."""
    for command, code, fact in (
        ("nosuch", 127, "error: there is no program 'nosuch' in "),
        ("/no/such/command", 127, "error: there is no program '/no/such/command' in "),
        ("/dev/nosuch", 127, "error: '/dev/nosuch' cannot be run in "),
        ("/version", 126, "error: '/version' cannot be run in "),
    ):
        done = host.run(f"os-containers run {target} {command}", check=False)
        # runc says so itself, too
        *_, error, hint = done.stderr.splitlines()
        assert (done.returncode, error[: len(fact)], hint[:6]) == (code, fact, "hint: "), done
    for code in (127, 255):
        done = host.run(f"os-containers run {target} sh -c 'exit {code}'", check=False)
        assert (done.returncode, done.stderr) == (code, "")
    nowhere = host.run(f"os-containers run --workdir /nosuch {target} true", check=False)
    assert (nowhere.returncode, "error: '/nosuch' is not a directory in " in nowhere.stderr) == (2, True)


def test_a_command_is_what_the_service_is(host: Host, push_hello: Push, runtime: str) -> None:
    """The same user, directory, environment and privileges, in each of the three forms."""
    config = {"User": "4242:4243", "WorkingDir": "/var/lib", "Env": ["PATH=/bin", "COLOR=blue"]}
    image = push_hello(HelloImage("1", config=config), "hello:latest")
    command = "sh -c 'id; pwd; echo $COLOR; grep -E \"NoNewPrivs|CapBnd\" /proc/self/status'"
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {image}")
    stopped = host.run(f"os-containers run hello {command}").stdout
    in_image = host.run(f"os-containers run --runtime {runtime} {image} {command}").stdout
    start_hello(host)
    running = host.run(f"os-containers run hello {command}").stdout
    assert running.startswith("uid=4242 gid=4243")
    assert "/var/lib\nblue\nCapBnd:\t00000000800405fb\nNoNewPrivs:\t1\n" in running
    assert running == stopped == in_image


def test_the_terminal_is_as_large_as_ours(host: Host, target: str) -> None:
    """Programs that fill the screen ask for it."""
    # crun 1.21 gives a command in a running container its size a moment after it has begun
    ask = "for i in 1 2 3 4 5 6 7 8 9; do busybox stty size && break; busybox sleep 0.1; done"
    code, shown = host.run_on_terminal(f"stty rows 33 cols 77 && os-containers run {target} sh -c '{ask}'")
    assert code == 0
    assert "33 77" in shown


def test_run_beside_a_service_that_has_done_its_work(host: Host, push_hello: Push, runtime: str) -> None:
    """It is active to systemd, but nothing of it runs."""
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=$EXEC_START\n"
    image = HelloImage(
        "1", executables={"/bin/hello": "#!/bin/sh\n"}, files={"/exports/service.template": unit}
    )
    name = push_hello(image, "hello:latest")
    host.run(f"os-containers install --insecure --runtime {runtime} --name hello {name}")
    host.run("systemctl start hello && systemctl is-active hello")
    assert host.run("os-containers run hello cat /version").stdout == "1"


def test_values_are_set_for_an_image_only(host: Host, push_hello: Push) -> None:
    """A container has its values already."""
    config = (
        '{"ociVersion": "1.0.2", "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/echo",'
        ' "$GREETING"]}, "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc",'
        ' "source": "proc"}], "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}}'
    )
    image = push_hello(HelloImage("1", files={"/exports/config.json.template": config}), "hello:latest")
    host.run(f"os-containers pull --insecure {image}")
    assert host.run(f"os-containers run --set GREETING=hi {image}").stdout == "hi\n"
    failed = host.run(f"os-containers run {image}", check=False)
    assert failed.returncode == 2
    assert "no value for GREETING" in failed.stderr
    host.run(f"os-containers install --set GREETING=hi --name hello {image}")
    assert host.run("os-containers run --set GREETING=x hello true", check=False).returncode == 2


SLOW = """\
[Service]
ExecStartPre=/bin/sleep {}
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
ExecStopPost=$EXEC_STOPPOST
"""


def test_a_service_that_is_only_starting_cannot_be_joined_yet(
    host: Host, push_hello: Push, runtime: str
) -> None:
    """One line of fact says how far it is; a container that comes in a moment is waited for."""
    for seconds in (60, 1):
        unit = {"/exports/service.template": SLOW.format(seconds)}
        name = push_hello(HelloImage("1", files=unit), "hello:slow")
        host.run(f"os-containers install --insecure --runtime {runtime} --name hello {name}")
        host.run("systemctl start --no-block hello; sleep 0.2")
        done = host.run("os-containers run hello cat /version", check=False)
        if seconds == 1:
            assert (done.returncode, done.stdout) == (0, "1"), done.stderr
        else:
            assert done.returncode == 7
            fact = f"hello.service is activating (start-pre), {runtime} has not started it"
            assert done.stderr.splitlines() == [
                f"error: no command can join hello yet: {fact}",
                "hint: systemctl status hello shows how far it is; try again when it runs, or stop it first",
            ]
        host.run("systemctl stop hello; os-containers uninstall hello; os-containers images delete " + name)


def test_a_command_joins_right_after_the_start(host: Host, image: str, runtime: str) -> None:
    """Systemd counts a service as active once its runtime was started."""
    host.run(f"os-containers install --runtime {runtime} --name hello {image}")
    for _ in range(3):
        host.run("systemctl restart hello && os-containers run hello true")
