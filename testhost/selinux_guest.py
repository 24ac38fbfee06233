"""What runs inside the machine with SELinux: the life of a container, and after each step all labels.

It is copied into the machine and started there by systemd; what it finds it tells on the serial console.
"""

import contextlib
import json
import re
import subprocess
import termios
import time
from pathlib import Path

IMAGES = Path("/srv/selinux")
STORE = Path("/var/lib/containers/atomic")
CONSOLE = "/dev/ttyS0"
MARK = "selinux"
END = "end"
LABELLED = "3"
VERSIONS = ("1", "2", LABELLED)
# What the third image asks for.
ASKED = "system_u:system_r:container_t:s0:c1,c2"
NAME = "hello"
# All that is the container's on the host, and what systemd and tmpfiles make for it.
PLACES = (
    "/etc/hello",
    "/etc/hello/hello.conf",
    "/etc/hello/hello.conf.os-containers-new",
    "/etc/systemd/system/hello.service",
    "/etc/systemd/system/hello.service.d",
    "/etc/systemd/system/hello.service.d/10-os-containers.conf",
    "/etc/systemd/system/multi-user.target.wants/hello.service",
    "/etc/tmpfiles.d/hello.conf",
    "/opt/hello",
    "/opt/hello/bin",
    "/opt/hello/bin/tool-1",
    "/opt/hello/bin/tool-2",
    "/run/hello",
    "/usr/local/bin/hello-version",
    "/var/lib/containers",
)


def main() -> None:
    """Tell everything; the machine is switched off by who listens."""
    try:
        _tell("SELinux is on", _output("getenforce") == "Permissive")
        for mode in ("permissive", "enforcing"):
            _run("setenforce", "1" if mode == "enforcing" else "0")
            _live(mode)
        _run("setenforce", "0")
        _tell_denials()
    except Exception as error:  # noqa: BLE001 - whoever listens must hear of it
        _tell(f"{type(error).__name__}: {error}", right=False)
    _tell(END)


def _live(mode: str) -> None:
    for version in VERSIONS:
        _do(f"os-containers pull oci:{IMAGES}/{version}:{version} --name-image hello:{version}")
    _do("os-containers images tag hello:1 hello:latest")
    _do(f"os-containers install --name {NAME} hello:latest")
    _start(mode, "install")
    _update(mode, "2")
    _do(f"os-containers rollback {NAME}")
    _look(mode, "rollback")
    Path("/etc/hello/hello.conf").write_text("mine\n")
    _update(mode, LABELLED)
    config = json.loads((STORE / NAME / "config.json").read_bytes())
    _tell(f"{mode}: the image's own label is kept", config["process"].get("selinuxLabel") == ASKED)
    done = _run("os-containers", "check", "--json")
    _tell(f"{mode}: os-containers check: {done.stdout.strip()[:500]}", done.returncode == 0)
    done = _run("ostree", "fsck", "--quiet", f"--repo={STORE}/.storage/repo")
    _tell(f"{mode}: (ostree fsck ends with {done.returncode}: {done.stderr.strip()[:200]})")
    Path("/etc/hello/hello.conf").unlink()
    _do(f"os-containers uninstall {NAME}")
    left = [place for place in PLACES if place != "/var/lib/containers" and Path(place).exists()]
    _tell(f"{mode}: after uninstall there is {', '.join(left) or 'nothing'}", not left)


def _start(mode: str, when: str) -> None:
    _do(f"systemctl start {NAME}")
    _look(mode, when)


def _update(mode: str, version: str) -> None:
    _do(f"os-containers images tag hello:{version} hello:latest")
    _do(f"os-containers update {NAME}")
    _look(mode, f"update to {version}")


def _look(mode: str, when: str) -> None:
    """Compare all labels; tell how the container runs."""
    looked = [place for place in PLACES if Path(place).exists() or Path(place).is_symlink()]
    for place in looked:
        there, wanted = _label(place), _wanted(place)
        if wanted not in {there, "<<none>>"}:
            _tell(f"{mode}, {when}: {place} has {there}, not {wanted}", right=False)
    rootfs = STORE / NAME / "rootfs"
    inside = {name: _label(str(rootfs / name)) for name in ("bin", "bin/busybox", "bin/sh")}
    # of the user who made it the policy says nothing
    is_right = all(label.endswith(":object_r:container_ro_file_t:s0") for label in inside.values())
    _tell(f"{mode}, {when}: in the rootfs {', '.join(sorted(set(inside.values())))}", is_right)
    _tell(f"{mode}, {when}: rootfs has {_label(str(rootfs))}", _label(str(rootfs)) == _wanted("/"))
    time.sleep(1)
    state = _output("systemctl", "is-active", NAME)
    _tell(f"{mode}, {when}: {len(looked)} places; {state}, as {_processes()}", state == "active")


def _processes() -> str:
    group = Path(f"/sys/fs/cgroup/system.slice/{NAME}.service")
    pids = [pid for one in group.rglob("cgroup.procs") for pid in one.read_text().split()]
    found = []
    for pid in pids:
        # some are gone in no time
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, label = (Path(f"/proc/{pid}/{one}").read_text() for one in ("comm", "attr/current"))
            found.append(f"{name.strip()} {label.strip(chr(0))}")
    return ", ".join(found)


def _tell_denials() -> None:
    """Tell what the policy did not like of what is ours, each once."""
    said = _output("journalctl", "--boot", "--quiet", "--output=cat", "--grep=avc: *denied").splitlines()
    denied = {re.sub(r" (pid|ino|path)=\S+", "", one.partition("denied")[2]) for one in said}
    for one in sorted(denied):
        if re.search("container_|spc_t|unconfined_t", one):
            _tell(f"denied{one}")


def _label(path: str) -> str:
    return _output("stat", "--format=%C", path)


def _wanted(path: str) -> str:
    return _output("matchpathcon", "-n", path)


def _do(command: str) -> None:
    done = _run(*command.split())
    said = (done.stdout + done.stderr).strip() if done.returncode or "warning" in done.stderr else ""
    _tell(f"{command}: exit code {done.returncode} {said[-1500:]}".strip(), done.returncode == 0)


def _output(*words: str) -> str:
    return _run(*words).stdout.strip()


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )


def _tell(what: str, right: bool = True) -> None:  # noqa: FBT001, FBT002 - a fact and whether it is so
    with Path(CONSOLE).open("wb", buffering=0) as console:
        console.write(f"\n{MARK} {json.dumps({'right': right, 'what': what})}\n".encode())
        termios.tcdrain(console)


if __name__ == "__main__":
    main()
