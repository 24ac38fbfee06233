"""Which host files an image may bring only when the admin says so; pure.

Something else than the container's own unit reads these places, and acts as root on what it finds there.
/etc/os-containers/policy.toml allows some for all containers: allow-host-paths = ["/etc/cron.d"]
"""

import re
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile
from os_containers.deployment.record import Approved
from os_containers.errors import PolicyError, UsageError

POLICY_FILE = "os-containers/policy.toml"
_SETUID = 0o6000

# Globs of a path or of a directory above it; without a leading slash, of a name anywhere.
SENSITIVE = (
    # whose code runs, when, and as whom
    *("/etc/cron*", "/etc/anacrontab", "/var/spool/cron*", "/etc/at.*", "/var/spool/at*"),
    *("/etc/init.d", "/etc/rc*.d", "/etc/rc.local", "/etc/inittab", "/etc/init"),
    *("systemd", "udev", "polkit-1", "dbus-1", "tmpfiles.d", "sysusers.d", "binfmt.d"),
    *("/etc/profile", "/etc/profile.d", "/etc/bash*", "/etc/zsh*", "/etc/environment*", "/etc/skel"),
    *("/etc/ld.so.*", "/usr/lib*", "/lib*", "/usr/local/lib*"),
    *("/etc/alternatives", "/etc/apt", "/etc/dpkg", "/etc/yum*", "/etc/dnf", "/etc/rpm"),
    # who may come in, and what they may do
    *("/etc/passwd*", "/etc/shadow*", "/etc/group*", "/etc/gshadow*", "/etc/subuid*", "/etc/subgid*"),
    *("/etc/pam.*", "/etc/security", "/etc/sudo*", "/etc/doas*", "/etc/ssh", "/etc/nsswitch.conf"),
    *("/etc/login.defs", "/etc/shells", "/etc/selinux", "/etc/apparmor*", "/etc/audit"),
    *("/root", "/home", ".ssh"),
    # the kernel, and how it boots
    *("/etc/modprobe.d", "/etc/modules*", "modules-load.d", "/etc/sysctl.*", "sysctl.d"),
    *("/boot", "/efi", "/etc/default/grub*", "/etc/grub.d", "/etc/fstab", "/etc/crypttab"),
    *("/etc/kernel", "/etc/dracut*", "/etc/initramfs-tools", "/dev", "/proc", "/sys"),
    # what decides about containers, and us
    *("/etc/containers", "/etc/os-containers", "/var/lib/containers"),
)


@dataclass(frozen=True, slots=True)
class Permission:
    """What the admin allows: paths, each with what is under it, and programs that run as their owner."""

    paths: tuple[str, ...] = ()
    setuid: bool = False

    @classmethod
    def parse(cls, paths: Iterable[str], *, setuid: bool) -> "Permission":
        """Return the permission that options give. Raises UsageError for a path that is none."""
        return cls(tuple(_absolute(path) for path in paths), setuid)

    def with_paths(self, paths: Iterable[str]) -> "Permission":
        return Permission((*self.paths, *paths), self.setuid)

    def covers(self, path: str) -> bool:
        """Say whether a path, or one above it, is allowed."""
        return any(map(PurePosixPath(path).is_relative_to, self.paths))


class _Policy(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    allow_host_paths: tuple[str, ...] = ()


def allowed_by(policy: Path) -> tuple[str, ...]:
    """Return the paths that a policy file allows, none without it. Raises PolicyError when it is not one."""
    return parse_policy(policy.read_bytes()) if policy.exists() else ()


def parse_policy(raw: bytes) -> tuple[str, ...]:
    """Return the paths that a policy file allows. Raises PolicyError when it is not one."""
    try:
        policy = msgspec.convert(tomllib.loads(raw.decode()), _Policy)
        return tuple(_absolute(path) for path in policy.allow_host_paths)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, UsageError) as error:
        raise PolicyError(
            f"/etc/{POLICY_FILE}: {error}", hint='for example: allow-host-paths = ["/etc/cron.d"]'
        ) from error


def is_sensitive(path: str) -> bool:
    """Say whether a path is in the table, or under what is in it."""
    return _SENSITIVE.search(path) is not None


def _expression(glob: str) -> str:
    start = "^" if glob.startswith("/") else "(?:^|/)"
    return start + re.escape(glob).replace(r"\*", "[^/]*") + "(?:/|$)"


_SENSITIVE = re.compile("|".join(map(_expression, SENSITIVE)))


def approve(files: Iterable[tuple[HostFile, str]], permission: Permission, before: Approved) -> Approved:
    """Return what of the files, each with its real path, needed the admin's word and has it.

    Raises PolicyError for all that have not: neither now, nor in the deployment before.
    """
    paths: dict[str, None] = {}
    setuid: dict[str, None] = {}
    refused: dict[str, None] = {}
    powers: list[str] = []
    for file, real in files:
        if file.kind is FileKind.DIRECTORY:
            continue  # nobody acts on one that is empty
        # either name may be the one that others know: /lib/x is /usr/lib/x, and a cron.d may be a link
        names = (real, file.path)
        if any(map(is_sensitive, names)):
            paths[real] = None
            if not any(name in before.paths or permission.covers(name) for name in names):
                refused[real] = None
        if file.mode & _SETUID or file.capabilities:
            setuid[file.path] = None
            if not permission.setuid and file.path not in before.setuid:
                what = "has capabilities" if file.capabilities else "is setuid or setgid"
                powers.append(f"{file.path} {what}")
    _refuse(refused, powers)
    return Approved(tuple(paths), tuple(setuid))


def _refuse(paths: Collection[str], powers: Collection[str]) -> None:
    """Raise PolicyError when there is anything that is not allowed."""
    facts, ways = [], []
    if paths:
        them = "it affects" if len(paths) == 1 else "they affect"
        facts.append(f"the image puts {_listed(paths)} on the host, where {them} more than the container")
        ways.append(
            f"look at the files; to allow them: {' '.join(f'--allow-host-path {path}' for path in paths)}"
        )
    if powers:
        facts.append(f"{_listed(powers)}: whoever runs it gains privileges")
        ways.append("if you trust the image with that: --allow-setuid")
    if facts:
        raise PolicyError("; ".join(facts), hint="; ".join(ways))


def _listed(words: Collection[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _absolute(path: str) -> str:
    whole = PurePosixPath(path)
    if not whole.is_absolute() or ".." in whole.parts:
        raise UsageError(f"{path!r} is not an absolute path", hint="give one such as /etc/cron.d")
    return "/" + str(whole).lstrip("/")
