"""The life of a system container on a real systemd, every command shown and every claim checked.

It plays the session of README.md with etcd: pull, install, configure, start, update to a newer version, go
back, uninstall.
"""

import json
import os
import sys
import time
from dataclasses import dataclass

from testhost.commands import CommandError
from testhost.images import ETCD_SUITES, etcd_layout
from testhost.inventory import FileState, differences, list_files
from testhost.machine import Host
from testhost.registry import PLAIN, Registry
from testhost.traces import list_loaded, list_running

IMAGE = f"{PLAIN}/etcd:latest"
CONFIGURATION = "/etc/etcd/etcd.conf"
STORE = "/var/lib/containers"
DATA = "/var/lib/etcd"
# What stays of the container itself: the edited file in its directory, and the data.
KEPT = [f"added {path}" for path in ("/etc/etcd", CONFIGURATION, DATA)]


class ClaimError(Exception):
    """Something that the demonstration claims is not so."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A host before an audience."""

    host: Host
    registry: Registry

    def type(self, command: str) -> str:
        """Show a command and what it says; return that."""
        print(_bold(f"\n# {command}"), flush=True)
        said = self.host.run(f"{command} 2>&1").stdout
        print(said, end="", flush=True)
        return said

    def ask(self, command: str) -> str:
        """Return what a command says, without showing it."""
        return self.host.run(command).stdout.strip()


def play(suite: str) -> int:
    """Play the whole session; return 0 when every claim holds, else 1 after telling which does not."""
    started = time.monotonic()
    try:
        _tell(f"Booting a disposable Debian {suite} with systemd, os-containers and a registry")
        with Host.boot(suite) as host:
            _play_on(_set_up(host))
    except (ClaimError, CommandError, TimeoutError) as error:
        print(f"\ndemo: failed: {error}", file=sys.stderr)
        return 1
    print(f"\ndemo: ok, {time.monotonic() - started:.0f} s")
    return 0


def _set_up(host: Host) -> Stage:
    registry = Registry.start(host)
    for version in ETCD_SUITES:
        registry.push(etcd_layout(version), f"etcd:{version}")
    registry.move_tag("etcd:3.4", "etcd:latest")
    return Stage(host, registry)


def _play_on(stage: Stage) -> None:
    files, running = list_files(stage.host.root), list_running(stage.host)
    _pull(stage)
    _install(stage)
    _configure_and_start(stage)
    _update(stage)
    _roll_back(stage)
    _uninstall(stage)
    left = _differences_but_the_store(files, stage)
    _claim("no other file of the host was added, removed or changed", left == KEPT, "\n".join(left))
    lives = [*sorted(list_running(stage.host) - running), *list_loaded(stage.host)]
    _claim("no process, mount, control group or unit is left", not lives, "\n".join(lives))


def _pull(stage: Stage) -> None:
    _tell("An image comes from the registry into an OSTree repo")
    said = stage.type(f"os-containers pull docker://{IMAGE} --tls-verify=false")
    _claim("without a warning", "warning" not in said, said)
    listed = stage.type("os-containers images list")
    _claim("the image is in the list", f"{PLAIN}/etcd" in listed)
    _claim("the repo is sound", _fsck(stage))


def _install(stage: Stage) -> None:
    _tell("It becomes a container: checked out by hard links, configured from its templates")
    said = stage.type(f"os-containers install {IMAGE}")
    for step in (f"copied {CONFIGURATION}", "copied /usr/local/bin/etcdctl", "systemctl enable etcd"):
        _claim(f"it says: {step}", step in said, said)
    _claim("the unit is enabled", stage.ask("systemctl is-enabled etcd") == "enabled")


def _configure_and_start(stage: Stage) -> None:
    _tell("The administrator edits the configuration on the host and starts the service")
    stage.type(f"sed -i 's/^#ETCD_NAME=.*/ETCD_NAME=demo/' {CONFIGURATION}")
    stage.type("systemctl start etcd")
    status = stage.type("systemctl status --no-pager --lines=0 etcd")
    _claim("systemd waited until etcd was ready", "active (running)" in status)
    _claim(
        "etcd runs in the control group of its own unit", "/usr/bin/etcd" in status or "etcd --data" in status
    )
    _claim("the container is listed as running", "running" in stage.type("os-containers containers list"))
    stage.type("etcdctl put greeting hello")
    _claim_server(stage, "3.4")


def _update(stage: Stage) -> None:
    _tell("A newer version is published, pulled and deployed")
    stage.registry.move_tag("etcd:3.5", "etcd:latest")
    stage.type(f"os-containers pull docker://{IMAGE} --tls-verify=false")
    stage.type("os-containers update etcd")
    _claim("the data is there", "hello" in stage.type("etcdctl get greeting"))
    stage.type("etcdctl put written-by 3.5")
    _claim_server(stage, "3.5")


def _roll_back(stage: Stage) -> None:
    _tell("Back to the version before")
    stage.type("os-containers rollback etcd")
    _claim("the data is there", "hello" in stage.type("etcdctl get greeting"))
    _claim("so is what the newer version wrote", "3.5" in stage.type("etcdctl get written-by"))
    _claim_server(stage, "3.4")


def _claim_server(stage: Stage, version: str) -> None:
    (endpoint,) = json.loads(stage.ask("etcdctl endpoint status --write-out=json"))
    found = endpoint["Status"]["version"]
    _claim(f"the server is etcd {version}", found.startswith(f"{version}."), found)
    client = stage.ask("etcdctl version")
    _claim(f"etcdctl on the host is {version}", f"version: {version}." in client, client)
    members = stage.ask("etcdctl member list")
    _claim("the edited configuration is in force", "demo" in members, members)
    _claim("the service is enabled", stage.ask("systemctl is-enabled etcd") == "enabled")


def _uninstall(stage: Stage) -> None:
    _tell("The container goes, and leaves the host as it was")
    said = stage.type("os-containers uninstall etcd")
    sentences = (
        f"kept {CONFIGURATION}: it was changed since it was installed",
        f"kept {DATA}: the data of etcd",
    )
    for sentence in sentences:
        _claim(f"it says: {sentence}", sentence in said.splitlines(), said)
    _claim("the edited file is there", "ETCD_NAME=demo" in stage.ask(f"cat {CONFIGURATION}"))
    _claim("no container is left", "etcd" not in stage.ask("os-containers containers list --all"))
    _claim("the repo is sound", _fsck(stage))


def _fsck(stage: Stage) -> bool:
    done = stage.host.run(f"ostree fsck --quiet --repo={STORE}/atomic/.storage/repo", check=False)
    return done.returncode == 0


def _differences_but_the_store(before: dict[str, FileState], stage: Stage) -> list[str]:
    lines = differences(before, list_files(stage.host.root))
    return [line for line in lines if not line.split(" ", 1)[1].startswith((STORE, f"{DATA}/"))]


def _claim(claim: str, holds: object, seen: str = "") -> None:
    if not holds:
        raise ClaimError(f"not so: {claim}" + (f"; seen:\n{seen}" if seen else ""))
    print(f"  ok: {claim}", flush=True)


def _tell(text: str) -> None:
    print(f"\n{_bold(f'== {text}')}", flush=True)


def _bold(text: str) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\033[1m{text}\033[0m"
