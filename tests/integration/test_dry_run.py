"""What a command would do, and that it then does just that."""

import json
import re
from collections.abc import Callable
from typing import Any

from testhost.hello import HelloImage, start_hello
from testhost.inventory import differences, list_files
from testhost.machine import Host

# where we work, and lock
OUR_WORK = re.compile(r"/atomic/\.(staging|locks(/.*)?)$")
Push = Callable[[HelloImage, str], str]
EXPORTS = {
    "/exports/manifest.json": '{"defaultValues": {"GREETING": "hello"},'
    ' "installedFilesTemplate": ["/etc/hello/hello.conf"]}',
    "/exports/tmpfiles.template": "d $STATE_DIRECTORY/$NAME 0755 - - -\n",
}


def image(version: str, **more: str) -> HelloImage:
    """Return an image whose host files are others with each version."""
    host_files = {
        "/exports/hostfs/etc/hello/hello.conf": f"greeting=$GREETING of {version}\n",
        f"/exports/hostfs/usr/local/bin/hello-{version}": "#!/bin/sh\n",
    }
    return HelloImage(version, files={**EXPORTS, **host_files}, **more)


def seen(host: Host) -> str:
    """Return what systemd knows of the service, and since when."""
    return host.run(
        "systemctl show hello --property=ActiveState,InvocationID,UnitFileState,FragmentPath,NeedDaemonReload"
    ).stdout


def planned_then_done(host: Host, words: str) -> dict[str, Any]:
    """Return the plan of a command; it has changed nothing, and its steps are what the command then tells."""
    before, state = list_files(host.root), seen(host)
    verb, _, rest = words.partition(" ")
    (plan,) = json.loads(host.run(f"os-containers {verb} --dry-run --json {rest}").stdout)
    assert host.run(f"os-containers {verb} --display {rest}").stdout.count(plan["steps"][0]) >= 1
    changed = [one for one in differences(before, list_files(host.root)) if not OUR_WORK.search(one)]
    assert changed == []
    assert seen(host) == state
    told = host.run(f"os-containers {words}").stderr.splitlines()
    # of an old runtime both warn, and neither does anything
    steps = [line.removeprefix("warning: ") for line in told if "CVE" not in line]
    assert steps == plan["steps"]
    result: dict[str, Any] = plan
    return result


def test_the_plan_of_each_change_is_what_it_does(host: Host, push_hello: Push) -> None:
    """Install, update of a running service with an edited host file, rollback, uninstall."""
    name = push_hello(image("1"), "hello:latest")
    host.run(f"os-containers pull --insecure {name}")
    plan = planned_then_done(host, f"install --name hello --set GREETING=hi {name}")
    assert (plan["leaving"], plan["entering"]) == (None, 1)
    assert {one["path"] for one in plan["host_files"]} >= {"/etc/hello/hello.conf", "/usr/local/bin/hello-1"}
    (unit,) = [one for one in plan["texts"] if one["path"] == "/etc/systemd/system/hello.service"]
    assert unit["after"] == host.read("/etc/systemd/system/hello.service")
    start_hello(host)
    host.write("/etc/hello/hello.conf", "edited\n")
    push_hello(image("2"), "hello:latest")
    (plan,) = json.loads(host.run("os-containers update --pull --insecure --dry-run --json hello").stdout)
    assert (plan["changes"], plan["steps"]) == (True, [f"os-containers pull {name}"])
    host.run(f"os-containers pull --insecure {name}")
    same = host.run("os-containers update --pull --insecure --dry-run --json hello").stdout
    assert json.loads(same)[0]["entering"] == 2
    plan = planned_then_done(host, "update --set GREETING=welcome hello")
    assert {"name": "GREETING", "before": "hi", "after": "welcome", "origin": "set"} in plan["values"]
    assert {"path": "/etc/hello/hello.conf", "kind": "file", "action": "keep what was changed"} in plan[
        "host_files"
    ]
    planned_then_done(host, "rollback hello")
    host.run("os-containers stop --dry-run hello")
    assert host.run("systemctl is-active hello").stdout == "active\n"
    host.run("touch /var/lib/hello/data")
    plan = planned_then_done(host, "uninstall hello")
    assert plan["steps"][-1] == "kept /var/lib/hello: the data of hello"
    host.run("rm -r /var/lib/hello /etc/hello")
