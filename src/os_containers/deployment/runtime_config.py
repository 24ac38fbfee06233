"""The OCI runtime configuration (config.json): parsed and confined; pure.

See the OCI runtime specification, config.md and config-linux.md. It stays a JSON tree: images carry keys that
we need not know, and they must pass unchanged.
"""

import json
import os
import posixpath
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from os_containers.deployment.json_text import JsonText, path_of, read_json
from os_containers.deployment.limits import DEFAULT_LIMITS
from os_containers.errors import AUTHOR, ImageError

RuntimeConfig = dict[str, Any]

_ROOTFS = PurePosixPath("rootfs")
OCI_VERSION = "1.0.2"
# semantic versions of runtime-spec; those before 1.0 are upgraded
_OCI_VERSIONS = re.compile(r"[01]\.[0-9]{1,4}(\.[0-9]{1,4})?([-+][0-9A-Za-z.+-]{1,64})?")


class _Root(msgspec.Struct):
    path: str = ""


_Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]


class _User(msgspec.Struct):
    uid: _Id = 0
    gid: _Id = 0


class _Process(msgspec.Struct):
    args: list[str] = []
    cwd: str = "/"
    user: _User = msgspec.field(default_factory=_User)
    capabilities: list[str] | dict[str, list[str]] = []
    env: list[str] = []


class _Namespace(msgspec.Struct):
    type: str


class _Seccomp(msgspec.Struct):
    syscalls: list[dict[str, Any]] = []


class _Linux(msgspec.Struct):
    capabilities: list[str] | dict[str, list[str]] = []
    namespaces: list[_Namespace] = []
    seccomp: _Seccomp = msgspec.field(default_factory=_Seccomp)
    resources: dict[str, Any] = {}


class _Mount(msgspec.Struct):
    destination: str
    type: str = ""
    source: str = ""
    options: list[str] = []


class _Config(msgspec.Struct, rename="camel"):
    """The types of the keys that we read or change; the tree itself is what we work on."""

    process: _Process
    root: _Root
    linux: _Linux
    oci_version: str = ""
    mounts: list[_Mount] = []


def parse_config(
    raw: bytes, *, source: str, root: Path | None = None, depth: int = DEFAULT_LIMITS.json_depth
) -> RuntimeConfig:
    """Return the configuration, without its nulls; its root may be called root instead of rootfs.

    Raises ImageError, with line and column, for bad JSON, doubled keys, missing parts, wrong types where we
    look, another root than ours, and a version that is none.
    """
    text = read_json(raw, source=source, depth=depth)
    for key in ("process", "root", "linux"):
        if not isinstance(text.tree.get(key), dict):
            raise text.error(f"no object {key!r}", (key,))
    try:
        msgspec.convert(text.tree, _Config)
    except msgspec.ValidationError as error:
        raise text.error(str(error), path_of(str(error))) from error
    _check_values(text, {_ROOTFS, PurePosixPath(root or _ROOTFS)})
    return text.tree


def _check_values(text: JsonText, roots: Collection[PurePosixPath]) -> None:
    root = text.tree["root"].get("path", "")
    if PurePosixPath(root) not in roots:
        raise text.error(f"root.path is {root!a}, not 'rootfs'", ("root", "path"))
    version = text.tree.get("ociVersion", OCI_VERSION)
    if not _OCI_VERSIONS.fullmatch(version):
        raise text.error(f"ociVersion {version!a} is unknown", ("ociVersion",))


def dump_config(config: RuntimeConfig) -> bytes:
    """Return the configuration as the file config.json has it."""
    return json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n"


def confine(config: RuntimeConfig, *, cgroups_path: str) -> None:
    """Make the configuration one of ours: our rootfs, read-only, no terminal, in the unit's cgroup.

    The rootfs shares its files with the repo by hard links, so a container must never write to it. Raises
    ImageError for a working directory from where it might reach the host.
    """
    directory = config["process"].get("cwd", "/")
    # a descriptor that a runtime left open leads to the host there (CVE-2024-21626)
    if posixpath.normpath(f"/{directory}").lstrip("/").split("/")[0] == "proc":
        raise ImageError(f"process.cwd is {directory!a}, in /proc", hint=AUTHOR)
    config["root"]["readonly"] = True
    config["process"]["terminal"] = False
    config["linux"]["cgroupsPath"] = cgroups_path


def missing_mount_points(config: RuntimeConfig, root: Path) -> list[str]:
    """Return where something is mounted and a root file system has nothing; not what is below a mount."""
    places = _mount_points(config)
    return [
        str(one)
        for one in dict.fromkeys(places)
        if not set(one.parents) & set(places) and not os.path.lexists(root / one.relative_to("/"))
    ]


def may_have_program(config: RuntimeConfig, root: Path) -> bool:
    """Tell whether the program that is run may be in a root file system, or be mounted there later.

    It may be where the first directory of its path is: what is below may come with another mount.
    """
    places = _program_places(config)
    mounted = {_first(one) for one in _mount_points(config)}
    return not places or any(_first(one) in mounted or os.path.lexists(root / _first(one)) for one in places)


def _program_places(config: RuntimeConfig) -> list[PurePosixPath]:
    """Return where a runtime looks for the program; nothing when only that one knows."""
    process = config["process"]
    program = next(iter(process.get("args", ())), "")
    if not program:
        return []
    if "/" in program:
        return [_absolute(posixpath.join(process.get("cwd", "/"), program))]
    path = search_path(process)
    return [] if path is None else [_absolute(posixpath.join(one, program)) for one in path.split(":")]


def search_path(process: Mapping[str, Any]) -> str | None:
    """Return where a runtime looks for the program of a process; None when only that one knows."""
    # of several it takes the last one
    found = [one.removeprefix("PATH=") for one in process.get("env", ()) if one.startswith("PATH=")]
    return found[-1] if found else None


def _mount_points(config: RuntimeConfig) -> list[PurePosixPath]:
    return [_absolute(mount["destination"]) for mount in config.get("mounts", [])]


def _absolute(path: str) -> PurePosixPath:
    """Return a path in the container from its root on."""
    return PurePosixPath(posixpath.normpath(f"/{path.lstrip('/')}"))


def _first(path: PurePosixPath) -> str:
    return path.parts[1] if len(path.parts) > 1 else ""


def has_terminals(config: RuntimeConfig) -> bool:
    """Tell whether a terminal can be made in the container: it has a devpts, or the host's."""
    shown = {mount.get("destination") for mount in bind_mounts(config)}
    return bool(shown & {"/dev", "/dev/pts"}) or any(
        mount.get("type") == "devpts" for mount in config.get("mounts", [])
    )


def bind_sources(config: RuntimeConfig) -> list[str]:
    """Return the host paths that the container mounts."""
    return [mount["source"] for mount in bind_mounts(config)]


def bind_mounts(config: RuntimeConfig) -> list[dict[str, Any]]:
    """Return the mounts that show a path of the host in the container."""
    return [
        mount
        for mount in config.get("mounts", [])
        if "source" in mount and {"bind", "rbind"} & {mount.get("type"), *mount.get("options", ())}
    ]
