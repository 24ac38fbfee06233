"""The runtime configuration of an image that ships none.

It is what the image config asks for, as a host service: it shares the host's network and reads the host's
resolv.conf. Its root is read-only; /run, /tmp and /var/tmp are its own, and each volume of the image is a
directory of the host's that stays over updates.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from os_containers.deployment.accounts import Account
from os_containers.deployment.capabilities import DEFAULT_CAPABILITIES
from os_containers.deployment.runtime_config import OCI_VERSION, RuntimeConfig
from os_containers.errors import ImageError
from os_containers.image.manifest import ContainerConfig

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HIDDEN = ("nosuid", "noexec", "nodev")
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_NAME_LENGTH = 255
_HOSTNAME_LENGTH = 64  # sethostname(2) refuses more
_FROM_HOST = ("/etc/hosts", "/etc/resolv.conf")


def volume_directory(state_directory: Path, name: str, volume: str) -> Path:
    """Return the directory of the host that holds a volume of a container: `/data/log` is in `data-log`.

    Another volume has another directory: a `-` of its own is written `+2d`. Raises ImageError for a volume
    that is not an absolute path to a directory beneath the root.
    """
    root, *parts = PurePosixPath(volume).parts or ("",)
    if not root.startswith("/") or not parts or ".." in parts or not volume.isprintable():
        raise ImageError(
            f"the image has the invalid volume {volume[:100]!a}", hint="a volume must be an absolute path"
        )
    directory = "-".join(part.replace("+", "+2b").replace("-", "+2d") for part in parts)
    if len(os.fsencode(directory)) > _NAME_LENGTH:
        raise ImageError(f"the image has a volume with too long a path: {volume[:100]!a}...")
    return state_directory / name / directory


def default_config(
    wanted: ContainerConfig, *, name: str, account: Account, state_directory: Path
) -> RuntimeConfig:
    """Return a whole runtime configuration, which binds those of the host's files that there are.

    Raises ImageError for an image that names no command, or a volume that cannot be one.
    """
    command = [*wanted.entrypoint, *wanted.cmd]
    if not command:
        raise ImageError(
            "the image names no command to run",
            hint="it needs an entrypoint, or exports/config.json.template",
        )
    environment = list(wanted.env)
    if not any(variable.startswith("PATH=") for variable in environment):
        environment.insert(0, _PATH)
    return {
        "ociVersion": OCI_VERSION,
        "process": _process(command, environment, wanted.working_dir or "/", account),
        "root": {"path": "rootfs", "readonly": True},
        "hostname": name[:_HOSTNAME_LENGTH],
        "mounts": [*_own_mounts(), *_host_files(), *_volumes(wanted.volumes, state_directory, name)],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }


def _process(command: list[str], environment: list[str], directory: str, account: Account) -> dict[str, Any]:
    user: dict[str, Any] = {"uid": account.uid, "gid": account.gid}
    if account.groups:
        user["additionalGids"] = list(account.groups)
    granted = list(DEFAULT_CAPABILITIES)
    return {
        "terminal": False,
        "user": user,
        "args": command,
        "env": environment,
        "cwd": directory,
        "capabilities": {"bounding": granted, "effective": granted, "permitted": granted},
        "noNewPrivileges": True,
    }


def _own_mounts() -> list[dict[str, Any]]:
    return [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ),
        _mount("/dev/shm", "tmpfs", "shm", *_HIDDEN, "mode=1777", "size=65536k"),  # noqa: S108 - in the container
        _mount("/dev/mqueue", "mqueue", "mqueue", *_HIDDEN),
        _mount("/sys", "sysfs", "sysfs", *_HIDDEN, "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", *_HIDDEN, "relatime", "ro"),
        _mount("/run", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755"),
        _mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),  # noqa: S108 - in the container
        _mount("/var/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),  # noqa: S108 - in the container
    ]


def _host_files() -> list[dict[str, Any]]:
    present = (path for path in _FROM_HOST if Path(path).exists())
    return [_mount(path, "bind", path, "rbind", "ro") for path in present]


def _volumes(volumes: Iterable[str], state_directory: Path, name: str) -> list[dict[str, Any]]:
    return [
        _mount(volume, "bind", str(volume_directory(state_directory, name, volume)), "rbind", "rw")
        for volume in volumes
    ]


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
