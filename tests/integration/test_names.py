"""Names that are somebody else's, and units that systemd would not understand: refused on a real host."""

import itertools
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from testhost.hello import HelloImage, start_hello
from testhost.inventory import differences, list_files
from testhost.machine import Host

STORE = "/var/lib/containers/atomic"
STATE = "/var/lib/containers/"
UNITS = "/etc/systemd/system"
RUN = "/run/systemd/system"
Push = Callable[[HelloImage, str], str]
# tests/unit/cli/test_names.py has them all
BAD_NAMES = ["", "..", "../x", "-x", "x\n", "x%i", "x.service", "$(touch /x)"]
COMMANDS = [
    ("install", "--insecure", "--name", "NAME"),
    *((command, "--", "NAME") for command in ("update", "rollback", "uninstall", "recover")),
]
UNIT = "[Service]\nExecStart=/bin/true\nRemainAfterExit=yes\n"


@contextmanager
def unchanged(host: Host) -> Iterator[None]:
    """See that nothing but our store has another file, or another content, afterwards."""
    before = list_files(host.root)
    yield
    changed = [line for line in differences(before, list_files(host.root)) if STATE not in line]
    assert changed == []
    assert host.run(f"ls {STORE} {STORE}/.deploy 2>/dev/null", check=False).stdout.split() in (
        [],
        [f"{STORE}:"],
    )


@pytest.fixture
def image(host: Host, push_hello: Push) -> str:
    pushed = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {pushed}")
    return pushed


def test_b63_what_is_no_name_is_refused_by_every_command(host: Host, image: str) -> None:
    """Exit code 2, one line of fact, and nothing was made or removed."""
    told = []
    with unchanged(host):
        for name, words in itertools.product(BAD_NAMES, COMMANDS):
            command = ["os-containers", *(name if word == "NAME" else word for word in words), image]
            done = host.run(command[: None if words[0] == "install" else -1], check=False)
            if done.returncode != 2 or done.stdout or not done.stderr.startswith("error: "):
                told.append((command, done.returncode, done.stderr))
    assert told == []


def test_b63_run_with_what_is_no_name_runs_nothing(host: Host, image: str) -> None:
    """It may be an image's name then, but none of these is one in the store."""
    assert image
    with unchanged(host):
        for name in BAD_NAMES[:4]:
            done = host.run(["os-containers", "run", "--", name, "touch", "/x"], check=False)
            assert done.returncode in {2, 3, 11}, (name, done.stderr)


def refuse_install(host: Host, image: str, name: str) -> str:
    """Install under a name, see it refused as a conflict with nothing changed, and return what was said."""
    with unchanged(host):
        failed = host.run(f"os-containers install --insecure --name {shlex.quote(name)} {image}", check=False)
    assert failed.returncode == 6, failed.stderr
    assert "hint: choose another name with --name" in failed.stderr
    return failed.stderr


@pytest.mark.parametrize("name", ["dbus", "systemd-journald", "dbus-org.freedesktop.login1", "rescue"])
def test_b64_a_service_of_the_host_is_refused(host: Host, image: str, name: str) -> None:
    """One that runs, one that does not, and an alias."""
    assert f"{name}.service" in refuse_install(host, image, name)


@pytest.mark.parametrize(
    ("make", "remove"),
    [
        ("systemctl mask theirs", "systemctl unmask theirs"),
        (f"ln -s /nowhere {UNITS}/theirs.service", f"rm {UNITS}/theirs.service"),
        (f"mkdir {UNITS}/theirs.service", f"rmdir {UNITS}/theirs.service"),
        (
            f"printf '{UNIT}[Install]\\nAlias=theirs.service' > {UNITS}/real.service; systemctl enable real",
            f"systemctl disable real; rm {UNITS}/real.service; systemctl daemon-reload",
        ),
        (
            "systemd-run --unit=theirs --property=RemainAfterExit=yes true",
            "systemctl stop theirs",
        ),
        (
            f"mkdir -p {RUN}/theirs.service.d; touch {RUN}/theirs.service.d/x.conf",
            f"rm -r {RUN}/theirs.service.d",
        ),
        *(
            (
                f"mkdir -p {directory}; printf '{UNIT}' > {directory}/theirs.service; {then}",
                f"rm {directory}/theirs.service; systemctl daemon-reload",
            )
            for directory, then in (
                ("/run/systemd/generator", "systemctl show theirs"),
                ("/run/systemd/system", "true"),
                ("/run/systemd/transient", "true"),
                ("/usr/local/lib/systemd/system", "true"),
                ("/usr/lib/systemd/system", "true"),
                ("/etc/systemd/system.control", "true"),
            )
        ),
    ],
    ids=[
        *("masked", "dangling", "directory", "alias", "running-transient", "drop-in-in-run"),
        *("generated", "run", "transient", "usr-local", "usr", "control"),
    ],
)
def test_b64_a_unit_in_any_unit_path_is_refused(host: Host, image: str, make: str, remove: str) -> None:
    """Also one that systemd has not read yet, and a drop-in that would change ours."""
    before = list_files(host.root)
    host.run(make)
    try:
        assert "theirs.service" in refuse_install(host, image, "theirs")
    finally:
        host.run(remove)
        host.run(
            "rmdir /usr/local/lib/systemd/system /usr/local/lib/systemd /etc/systemd/system.control",
            check=False,
        )
    assert [line for line in differences(before, list_files(host.root)) if STATE not in line] == []


def test_b64_templates_and_their_instances_have_other_names(host: Host, image: str) -> None:
    """`getty@` and `getty@tty1` are no container names, and `getty` is no unit's."""
    for name in ("getty@", "getty@tty1"):
        failed = host.run(["os-containers", "install", "--insecure", "--name", name, image], check=False)
        assert failed.returncode == 2
    host.run(f"os-containers install --insecure --name getty {image}")
    host.run("systemctl cat getty@tty1.service")


@pytest.mark.parametrize("directory", ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d"])
def test_b65_a_fragment_of_somebody_else_is_refused(host: Host, image: str, directory: str) -> None:
    """Ours in /etc would be read in place of theirs."""
    made = "" if host.exists(directory) else directory
    host.write(f"{directory}/theirs.conf", "d /run/theirs\n")
    try:
        said = refuse_install(host, image, "theirs")
        assert f"error: {directory}/theirs.conf already exists" in said
        assert host.read(f"{directory}/theirs.conf") == "d /run/theirs\n"
    finally:
        host.run(f"rm {directory}/theirs.conf; rmdir --ignore-fail-on-non-empty {made}", check=False)


def test_b65_the_name_systemd_would_hide_the_hosts_own_fragment(host: Host, image: str) -> None:
    """No unit is called systemd.service, and yet the host would not boot as before."""
    assert "/usr/lib/tmpfiles.d/systemd.conf already exists" in refuse_install(host, image, "systemd")


def unit(*lines: str) -> str:
    return "\n".join(
        ["[Service]", "ExecStart=$EXEC_START", *lines, "[Install]", "WantedBy=multi-user.target", ""]
    )


FAULTS = [
    (unit("Foo=bar"), "Unknown key"),
    (unit("Restart=sometimes"), "Failed to parse"),
    (unit("this is no setting"), "Missing '='"),
    (unit() + "[Bogus]\nX=1\n", "Unknown section"),
    ("X=1\n" + unit(), "Assignment outside of section"),
    (unit("ExecStart=/bin/second"), "more than one ExecStart= setting"),
    (unit("[Install]", "Alias=dbus.service"), "Alias='dbus.service'"),
    (unit("[Install]", "Also=dbus.service"), "Also='dbus.service'"),
    ("[Service]\nType=simple\n", "no ExecStart="),
    ("[Unit]\nDescription=x\n", r"no [Service] section"),
]


@pytest.mark.parametrize("user_mode", [False, True], ids=["system", "user"])
def test_b57_a_unit_that_systemd_would_not_understand_is_refused(
    host: Host,
    user: str,
    push_hello: Push,
    user_mode: bool,  # noqa: FBT001
) -> None:
    """On install and on update, before anything changes and while the old service runs."""
    whom = user if user_mode else None
    pushed = push_hello(HelloImage("0", files={"/exports/service.template": unit()}), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {pushed}", user=whom)
    start_hello(host, user=whom)
    told = []
    for number, (template, said) in enumerate(FAULTS):
        broken = push_hello(
            HelloImage(str(number), files={"/exports/service.template": template}), "hello:bad"
        )
        before = list_files(host.root)
        for command in (
            f"install --insecure --name bad {broken}",
            f"update hello --insecure --rebase {broken}",
        ):
            host.run(f"os-containers pull --insecure {broken}", user=whom)
            done = host.run(f"os-containers {command}", user=whom, check=False)
            if done.returncode != 4 or said not in done.stderr:
                told.append((said, done.returncode, done.stderr))
        left = [line for line in differences(before, list_files(host.root)) if "/containers/" not in line]
        assert left == []
    assert told == []
    (listed,) = json.loads(host.run("os-containers containers list --all --json", user=whom).stdout)
    assert (listed["name"], listed["state"], listed["serial"]) == ("hello", "running", 1)


@pytest.mark.parametrize("user_mode", [False, True], ids=["system", "user"])
def test_b57_what_is_not_there_yet_is_no_fault(
    host: Host,
    user: str,
    push_hello: Push,
    user_mode: bool,  # noqa: FBT001
) -> None:
    """Programs that come with the host files, other units, a file of settings, a page of documentation."""
    whom = user if user_mode else None
    template = (
        "[Unit]\nDocumentation=man:nothing(5)\nAfter=not-there.service\nWants=not-there.service\n"
        + unit(
            "Type=notify",
            "NotifyAccess=all",
            "ExecStartPre=-/usr/local/bin/hello-version",
            "ExecStopPost=-/not/there --x",
            "EnvironmentFile=-/etc/sysconfig/hello",
            "StandardOutput=syslog",
            "RuntimeDirectory=hello",
            "LimitNOFILE=1048576",
        )
        + "RequiredBy=not-there-either.service\n"
    )
    files = {
        "/exports/service.template": template,
        "/exports/hostfs/usr/local/bin/hello-version": "version 1\n",
    }
    pushed = push_hello(HelloImage("1", files=files), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {pushed}", user=whom)
    for suffix in ("", " --set UUID=1"):
        host.run(f"os-containers update hello{suffix}", user=whom)


def test_b54_settings_that_leave_their_place_change_nothing(host: Host, push_hello: Push) -> None:
    """The variable and the place in the template are told."""
    files = {
        "/exports/service.template": unit("Environment=GREETING=$GREETING"),
        "/exports/manifest.json": '{"defaultValues": {"GREETING": "hello"}}',
    }
    pushed = push_hello(HelloImage("1", files=files), "hello:latest")
    host.run(f"os-containers pull --insecure {pushed}")
    with unchanged(host):
        setting = "GREETING=x ExecStartPre=/bin/touch"
        command = ["os-containers", "install", "--insecure", "--name", "hello", "--set", setting, pushed]
        failed = host.run(command, check=False)
        assert failed.returncode == 2
        # an old runc is warned of first
        assert "error: exports/service.template:3: the value of GREETING is more than" in failed.stderr
        assert "hint: give another with --set GREETING=VALUE" in failed.stderr
