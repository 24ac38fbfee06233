"""What runs in a host, to prove that nothing of a container does any more: one line per thing found."""

import re
from pathlib import Path

from testhost.machine import Host

# What systemd starts and mounts when it sees fit.
OF_SYSTEMD = re.compile(
    r"process (/usr)?/(lib/systemd/|bin/dbus-daemon |sbin/agetty )|process \(sd-"
    r"|mount /run/credentials/"
    r"|control group .*/(run-[\w-]+\.scope|(systemd-|dbus|session).*|(app|background|session)\.slice)(/.*)?$"
)
PROPERTIES = ("Id", "LoadState", "ActiveState", "FragmentPath", "DropInPaths")
UNIT_DIRECTORIES = ("/etc/systemd/", "/home/")


def list_running(host: Host) -> frozenset[str]:
    """Return every process by its command, every mount and every control group, systemd's own left out."""
    found = [
        *(f"process {command}" for command in _processes(host.root / "proc")),
        *(f"mount {mount}" for mount in _mounts(host.leader)),
        *(f"control group {group}" for group in _control_groups(host.root / "sys/fs/cgroup")),
    ]
    return frozenset(line for line in found if not OF_SYSTEMD.match(line))


def list_loaded(host: Host, *, user: str | None = None) -> list[str]:
    """Return the containers of the runtimes, the failed units and those from where containers have theirs."""
    listing = " && ".join(f"{runtime} list --quiet" for runtime in host.runtimes)
    systemctl = "systemctl --user" if user else "systemctl"
    show = f"echo units && {systemctl} show --property={','.join(PROPERTIES)} '*.service'"
    containers, units = host.run(f"{listing} && {show}", user=user).stdout.split("units\n", 1)
    suspects = [unit for unit in units.split("\n\n") if _is_suspect(unit)]
    return [
        *(f"container {name}" for name in containers.splitlines()),
        *(f"unit {' '.join(unit.split())}" for unit in suspects),
    ]


def _is_suspect(unit: str) -> bool:
    shown = dict(line.split("=", 1) for line in unit.splitlines())
    files = f"{shown.get('FragmentPath', '')} {shown.get('DropInPaths', '')}".split()
    ours = shown.get("LoadState") != "masked" and any(file.startswith(UNIT_DIRECTORIES) for file in files)
    return shown.get("ActiveState") == "failed" or ours


def _processes(proc: Path) -> list[str]:
    commands = []
    for process in proc.glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        commands.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return commands


def _mounts(leader: int) -> list[str]:
    return [line.split()[4] for line in Path(f"/proc/{leader}/mountinfo").read_text().splitlines()]


def _control_groups(hierarchy: Path) -> list[str]:
    return [f"/{group.relative_to(hierarchy)}" for group in hierarchy.rglob("*/") if group.is_dir()]
