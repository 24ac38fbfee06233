"""Services by the name of their container, as a person at the terminal uses them."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from json_schemas import check_output

from testhost.hello import HelloImage
from testhost.machine import Host, Result

Push = Callable[[HelloImage, str], str]


def os_containers(host: Host, arguments: str, *, check: bool = True) -> Result:
    return host.run(f"os-containers {arguments}", check=check)


def events(host: Host, done: Result) -> list[dict[str, Any]]:
    """Return what --progress json told; every line is such an event."""
    schema = json.loads(os_containers(host, "schema --progress").stdout)
    return [check_output(line, schema) for line in done.stderr.splitlines()]


def test_the_day_of_an_admin(host: Host, push_hello: Push) -> None:
    """Start, look, read, go in, restart, stop, delete: two containers, one of which will not start."""
    good = push_hello(HelloImage("1"), "hello:latest")
    told = events(host, os_containers(host, f"--progress json install --insecure --name hello {good}"))
    assert [one["event"] for one in told].count("layer-finished") == 2
    assert told[-1] == {"event": "step", "text": "systemctl enable hello"}
    os_containers(host, f"install --insecure --name other {good}")
    os_containers(host, "start hello other")
    status = json.loads(os_containers(host, "status --json hello").stdout)
    assert (status["state"], status["enabled"]) == ("running", True)
    assert status["since"] <= time.time() + 5
    assert status["processor"] is not None
    assert any("version 1" in line for line in status["log"])
    wrong = os_containers(host, "logs --since nonsense hello", check=False)
    assert (wrong.returncode, wrong.stderr.splitlines()[-1].startswith("hint: a time is")) == (2, True)
    shown = os_containers(host, "status hello").stdout
    assert "State:" in shown
    assert "active (running)" in shown
    assert "version 1" in os_containers(host, "logs --lines 20 --since 1h5min hello").stdout
    assert os_containers(host, "exec hello -- sh -c 'exit 7'", check=False).returncode == 7
    before = host.run("systemctl show hello --property=InvocationID").stdout
    os_containers(host, "restart hello")
    assert host.run("systemctl show hello --property=InvocationID").stdout != before
    quiet = os_containers(host, "containers list --quiet --filter name=hel").stdout
    assert quiet.split() == ["hello"]
    os_containers(host, "stop hello")
    assert host.run("systemctl is-active hello", check=False).stdout.strip() == "inactive"
    refused = os_containers(host, "exec hello -- /bin/hello", check=False)
    assert refused.returncode == 6
    assert "os-containers start hello" in refused.stderr
    listed = json.loads(os_containers(host, "containers list --json --filter state=inactive").stdout)
    assert [one["name"] for one in listed] == ["hello"]
    mistyped = os_containers(host, "stop hell", check=False)
    assert (mistyped.returncode, "did you mean hello?" in mistyped.stderr) == (3, True)
    missing = os_containers(host, "containers delete --yes hello nothing", check=False)
    assert (missing.returncode, os_containers(host, "status hello").returncode) == (3, 0)
    os_containers(host, "containers delete --yes hello other")
    assert os_containers(host, "containers list --all --json").stdout.strip() == "[]"


def test_all_are_updated_and_the_one_that_does_not_start_goes_back(host: Host, push_hello: Push) -> None:
    good = push_hello(HelloImage("1"), "hello:latest")
    bad = push_hello(HelloImage("1"), "bad:latest")
    os_containers(host, f"install --insecure --name hello {good}")
    os_containers(host, f"install --insecure --name bad {bad}")
    os_containers(host, "start hello bad")
    push_hello(HelloImage("2"), "hello:latest")
    push_hello(HelloImage("2", config={"Cmd": ["/bin/does-not-exist"]}), "bad:latest")
    done = os_containers(host, "--progress json update --all --pull --insecure --json", check=False)
    told = events(host, done)
    assert {"event": "step", "text": "systemctl start hello"} in told
    assert [one["exit_code"] for one in told if one["event"] == "error"] == [9]
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert {name: one["outcome"] for name, one in found.items()} == {"hello": "updated", "bad": "failed"}
    assert done.returncode == found["bad"]["exit_code"] == 9
    listed = json.loads(os_containers(host, "containers list --json").stdout)
    assert [one["name"] for one in listed] == ["bad", "hello"]
    digests = {one["name"]: one["digest"] for one in listed}
    assert digests["bad"] == found["bad"]["before"]
    failed = json.loads(os_containers(host, "status --json bad").stdout)["given_up"]
    failed_digest = failed["digest"].removeprefix("sha256:")
    # nobody's service is stopped for it a second time
    invocation = host.run("systemctl show bad --property=InvocationID").stdout
    again = os_containers(host, "update --all --pull --insecure")
    assert host.run("systemctl show bad --property=InvocationID").stdout == invocation
    assert [line.split()[:4] for line in again.stdout.splitlines()] == [
        ["NAME", "RESULT", "IMAGE", "BEFORE"],
        ["bad", "skipped:", failed_digest[:12], "given"],
        ["hello", "already", "current", good],
    ]
    assert f"Given up: sha256:{failed_digest} on " in os_containers(host, "status bad").stdout
    assert os_containers(host, "update bad", check=False).returncode == 9
    # nor does a timer go over again to what somebody has rolled back from
    os_containers(host, "rollback hello")
    again = os_containers(host, "update --all --pull --insecure").stdout
    assert ["hello", "skipped:"] in [line.split()[:2] for line in again.splitlines()]
    assert os_containers(host, "containers list --quiet --filter state=running").stdout.split() == [
        "bad",
        "hello",
    ]


@pytest.mark.parametrize("whom", ["root", "user"])
def test_ctrl_c_ends_the_journal_and_nothing_else(host: Host, user: str, push_hello: Push, whom: str) -> None:
    """It is exit code 130, as for every command; a reader that has enough is none of its failures."""
    who = user if whom == "user" else None
    image = push_hello(HelloImage("1"), "hello:latest")
    host.run(f"os-containers install --insecure --name hello {image}", user=who)
    host.run("os-containers start hello", user=who)
    interrupt = "timeout --preserve-status --signal=INT --kill-after=9 --foreground 2"
    done = host.run(f"{interrupt} os-containers logs --follow hello", user=who, check=False)
    assert (done.returncode, "version 1" in done.stdout) == (130, True), done
    said = host.run("os-containers logs hello | head --lines=1; echo ${PIPESTATUS[0]}", user=who)
    assert said.stderr == ""
    status = json.loads(host.run("os-containers status --json hello", user=who).stdout)
    assert (status["state"], any("version 1" in line for line in status["log"])) == ("running", True)


SUB_STATE = "systemctl show --property=SubState --value hello"
ONCE_BROKEN = """\
#!/bin/sh
[ -e /data/mended ] || { sleep 0.2; exit 3; }
trap 'exit 0' TERM
while :; do sleep 0.1; done
"""
UNIT = """\
[Unit]
StartLimitIntervalSec=1h
StartLimitBurst=2
[Service]
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
ExecStopPost=$EXEC_STOPPOST
Restart=always
RestartSec={}
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.parametrize("wait", ["100ms", "1h"], ids=["failed-too-often", "waits-to-be-tried-again"])
def test_a_service_that_has_failed_starts_when_it_is_told_to(host: Host, push_hello: Push, wait: str) -> None:
    """Also one that systemd would refuse, or have wait."""
    image = push_hello(
        HelloImage(
            "1",
            files={"/exports/service.template": UNIT.format(wait)},
            executables={"/bin/hello": ONCE_BROKEN},
            config={"Volumes": {"/data": {}}},
        ),
        "hello:latest",
    )
    os_containers(host, f"install --insecure --name hello {image}")
    until_failed = (
        f"until [ $({SUB_STATE}) = {'failed' if wait == '100ms' else 'auto-restart'} ]; do sleep 0.1; done"
    )
    failed = os_containers(host, "start hello", check=False)
    assert failed.returncode == 9
    host.run(until_failed, timeout=30)
    (listed,) = json.loads(os_containers(host, "containers list --filter state=failed --json").stdout)
    assert listed["name"] == "hello"
    again = os_containers(host, "restart hello", check=False)
    assert again.returncode == 9
    host.run(until_failed, timeout=30)
    data = host.run("find /var/lib/hello -mindepth 1 -type d | head --lines=1").stdout.strip()
    host.run(["touch", f"{data}/mended"])
    os_containers(host, "start hello")
    assert host.run("systemctl show hello --property=NRestarts --value").stdout.strip() == "0"
    # it falls over once, and comes back
    host.run("systemctl kill --signal=KILL hello")
    if wait == "100ms":
        restarts = "systemctl show --property=NRestarts --value hello"
        host.run(f"until [ $({restarts})-$({SUB_STATE}) = 1-running ]; do sleep 0.1; done", timeout=30)
        assert "hello.service is already running" in os_containers(host, "start hello").stderr
    os_containers(host, "restart hello")
    os_containers(host, "stop hello")
    host.run("rm -r /var/lib/hello")
