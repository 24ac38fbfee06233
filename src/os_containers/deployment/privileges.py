"""What a runtime configuration asks of the host beyond a process in a box; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from os_containers.deployment.capabilities import DEFAULT_CAPABILITIES
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.errors import AUTHOR, ImageError

NAMESPACES = ("network", "pid", "ipc", "uts", "mount", "cgroup", "user")
_PROPAGATING = frozenset({"shared", "rshared"})


@dataclass(frozen=True, slots=True)
class HostMount:
    """A path of the host in the container; one that propagates brings mounts made inside to the host."""

    source: str
    destination: str
    read_only: bool
    propagates: bool


@dataclass(frozen=True, slots=True)
class Privileges:
    """The namespaces that are the host's own, capabilities beyond the usual ones, ways to the host's files.

    hooks are programs of the host that the runtime calls; every_device means all of them without being named.
    """

    host_namespaces: tuple[str, ...]
    capabilities: tuple[str, ...]
    mounts: tuple[HostMount, ...]
    devices: tuple[str, ...]
    every_device: bool
    hooks: tuple[str, ...]
    root: bool
    may_gain_more: bool


class _User(msgspec.Struct, frozen=True):
    uid: int = 0


class _Process(msgspec.Struct, frozen=True, rename="camel"):
    user: _User = _User()
    capabilities: dict[str, list[str]] = {}
    no_new_privileges: bool = False


class _Namespace(msgspec.Struct, frozen=True):
    type: str
    path: str = ""


class _Device(msgspec.Struct, frozen=True):
    path: str


class _Rule(msgspec.Struct, frozen=True):
    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None


class _Resources(msgspec.Struct, frozen=True):
    devices: list[_Rule] = []


class _Linux(msgspec.Struct, frozen=True):
    namespaces: list[_Namespace] = []
    devices: list[_Device] = []
    resources: _Resources = _Resources()


class _Mount(msgspec.Struct, frozen=True):
    destination: str
    source: str = ""
    type: str = ""
    options: list[str] = []


class _Hook(msgspec.Struct, frozen=True):
    path: str
    args: list[str] = []


class _Config(msgspec.Struct, frozen=True):
    process: _Process = _Process()
    linux: _Linux = _Linux()
    mounts: list[_Mount] = []
    hooks: dict[str, list[_Hook]] = {}


def privileges_of(config: RuntimeConfig) -> Privileges:
    """Return what a configuration asks for. Raises ImageError for one with other types there."""
    try:
        asked = msgspec.convert(config, _Config)
    except msgspec.ValidationError as error:
        raise ImageError(f"the runtime configuration is malformed: {error}", hint=AUTHOR) from error
    own = {one.type for one in asked.linux.namespaces if not one.path}
    granted = {name for names in asked.process.capabilities.values() for name in names}
    return Privileges(
        host_namespaces=tuple(one for one in NAMESPACES if one not in own),
        capabilities=tuple(sorted(granted.difference(DEFAULT_CAPABILITIES))),
        mounts=tuple(_host_mounts(asked)),
        devices=tuple(one.path for one in asked.linux.devices),
        every_device=any(_is_every_device(rule) for rule in asked.linux.resources.devices),
        hooks=tuple(_hook_lines(asked)),
        root=asked.process.user.uid == 0,
        may_gain_more=not asked.process.no_new_privileges,
    )


def _host_mounts(asked: _Config) -> Iterator[HostMount]:
    for mount in asked.mounts:
        options = set(mount.options)
        if mount.type == "bind" or options & {"bind", "rbind"}:
            yield HostMount(mount.source, mount.destination, "ro" in options, bool(options & _PROPAGATING))


def _is_every_device(rule: _Rule) -> bool:
    numbers = [one for one in (rule.major, rule.minor) if one not in {None, -1}]
    return rule.allow and rule.type in {"", "a"} and not numbers


def _hook_lines(asked: _Config) -> Iterator[str]:
    for kind, hooks in asked.hooks.items():
        for hook in hooks:
            yield " ".join((f"{kind}:", hook.path, *hook.args[1:]))
