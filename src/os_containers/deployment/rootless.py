"""What an ordinary user's container needs: a user namespace, and nothing that only root may do."""

from collections.abc import Mapping
from typing import Any

from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.subids import IdRange, UserIds

_NOT_FOR_USERS = {"network", "user"}


def make_rootless(config: RuntimeConfig, ids: UserIds) -> None:
    """Change a runtime configuration into one that an ordinary user may run."""
    linux = config["linux"]
    linux["namespaces"] = [
        *(one for one in linux.get("namespaces", []) if one.get("type") not in _NOT_FOR_USERS),
        {"type": "user"},
    ]
    linux["uidMappings"] = _mappings(ids.uid, ids.subuids)
    linux["gidMappings"] = _mappings(ids.gid, ids.subgids)
    linux.pop("resources", None)
    linux.pop("devices", None)
    config["mounts"] = [_rootless_mount(one, ids) for one in config.get("mounts", [])]


def drop_groups(config: RuntimeConfig) -> list[int]:
    """Take the supplementary groups out of a runtime configuration; return those that are missed."""
    user = config["process"].get("user", {})
    return [one for one in user.pop("additionalGids", ()) if one != user.get("gid", 0)]


def _mappings(own: int, subordinate: IdRange | None) -> list[dict[str, int]]:
    mappings = [{"containerID": 0, "hostID": own, "size": 1}]
    if subordinate:
        mappings.append({"containerID": 1, "hostID": subordinate.start, "size": subordinate.count})
    return mappings


def _rootless_mount(mount: Mapping[str, Any], ids: UserIds) -> dict[str, Any]:
    changed = dict(mount)
    if mount.get("type") == "sysfs":
        # a sysfs of one's own needs a network namespace of one's own, and we share the host's
        return {
            "destination": mount["destination"],
            "type": "none",
            "source": "/sys",
            "options": ["rbind", "nosuid", "noexec", "nodev", "ro"],
        }
    if mount.get("type") == "devpts" and ids.subgids is None:
        changed["options"] = [one for one in mount.get("options", []) if not one.startswith("gid=")]
    return changed
