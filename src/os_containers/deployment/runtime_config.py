"""The OCI runtime configuration (config.json): parsed, mended and confined; pure.

See the OCI runtime specification, config.md and config-linux.md. It stays a JSON tree: images carry keys that
we need not know, and they must pass unchanged.
"""

import json
from pathlib import PurePosixPath
from typing import Any

import msgspec

from os_containers.errors import ImageError

RuntimeConfig = dict[str, Any]

OCI_VERSION = "1.0.2"
_AUTHOR = "the image must be mended by its author"


class _Root(msgspec.Struct):
    path: str = ""


class _Process(msgspec.Struct):
    capabilities: list[str] | dict[str, list[str]] = []


class _Namespace(msgspec.Struct):
    type: str


class _Linux(msgspec.Struct):
    capabilities: list[str] | dict[str, list[str]] = []
    namespaces: list[_Namespace] = []


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


def parse_config(raw: bytes, *, source: str) -> RuntimeConfig:
    """Return the configuration, without its nulls.

    Raises ImageError for bad JSON, doubled keys, missing parts, and wrong types where we look.
    """
    config = _decode(raw, source)
    try:
        msgspec.convert(config, _Config)
    except msgspec.ValidationError as error:
        raise ImageError(f"{source}: {error}", hint=_AUTHOR) from error
    return config


def _decode(raw: bytes, source: str) -> RuntimeConfig:
    try:
        config = json.loads(raw, object_pairs_hook=_object)
        dump_config(config)  # JSON can write half a surrogate pair, which no file can hold
    except ValueError as error:
        raise ImageError(f"{source} is not valid JSON: {error}", hint=_AUTHOR) from error
    except RecursionError as error:
        raise ImageError(f"{source} is nested too deeply", hint=_AUTHOR) from error
    if not isinstance(config, dict):
        raise ImageError(f"{source} is not a JSON object", hint=_AUTHOR)
    for key in ("process", "root", "linux"):
        if not isinstance(config.get(key), dict):
            raise ImageError(f"{source} has no object {key!r}", hint=_AUTHOR)
    return config


def dump_config(config: RuntimeConfig) -> bytes:
    """Return the configuration as the file config.json has it."""
    return json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n"


def upgrade(config: RuntimeConfig) -> list[str]:
    """Change the forms of runtime-spec before 1.0 into today's; return a warning for each."""
    warnings = []
    process, linux = config["process"], config["linux"]
    granted = process.get("capabilities")
    if isinstance(granted, list):
        process["capabilities"] = _all_sets(granted)
        warnings.append("process.capabilities is a list, as before OCI runtime-spec 1.0: upgraded")
    old = linux.pop("capabilities", None)
    if isinstance(old, list):
        process.setdefault("capabilities", _all_sets(old))
        warnings.append("linux.capabilities is obsolete since OCI runtime-spec 1.0: moved to process")
    version = config.get("ociVersion", "")
    if not version.startswith("1."):
        config["ociVersion"] = OCI_VERSION
        warnings.append(f"ociVersion {version or 'missing'}: upgraded to {OCI_VERSION}")
    return warnings


def confine(config: RuntimeConfig, *, cgroups_path: str) -> None:
    """Make the configuration one of ours: our rootfs, read-only, no terminal, in the unit's cgroup.

    The rootfs shares its files with the repo by hard links, so a container must never write to it. Raises
    ImageError when it names another root.
    """
    root = config["root"]
    if PurePosixPath(root.get("path", "")) != PurePosixPath("rootfs"):
        raise ImageError(f"root.path in config.json is {root.get('path')!r}, not 'rootfs'", hint=_AUTHOR)
    root["readonly"] = True
    config["process"]["terminal"] = False
    config["linux"]["cgroupsPath"] = cgroups_path


def bind_sources(config: RuntimeConfig) -> list[str]:
    """Return the host paths that the container mounts."""
    return [
        mount["source"]
        for mount in config.get("mounts", [])
        if "source" in mount and {"bind", "rbind"} & set(mount.get("options", ()))
    ]


def _all_sets(names: list[str]) -> dict[str, list[str]]:
    return {kind: list(names) for kind in ("bounding", "effective", "permitted", "inheritable")}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {doubled!r} stands twice in one object")
    # null is what Go writes for nil, and both runtimes read it as absent
    return {key: value for key, value in tree.items() if value is not None}
