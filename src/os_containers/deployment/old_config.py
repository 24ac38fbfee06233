"""Old forms of the runtime configuration become today's, and what is written but means nothing goes; pure.

OCI runtime-spec 1.0 renamed and moved what the images of its first years still have. A runtime of today
refuses an old form or, worse, reads past it.
"""

from collections.abc import Iterator
from typing import Any

from os_containers.deployment.runtime_config import OCI_VERSION, RuntimeConfig

_SINCE = "as before OCI runtime-spec 1.0: upgraded"
# Go wrote these also when nobody had set them
_MAY_BE_EMPTY = {
    "process": ("apparmorProfile", "selinuxLabel"),
    "linux": ("cgroupsPath", "mountLabel", "rootfsPropagation"),
}
_LABELS = {
    "SELinux": (("process", "selinuxLabel"), ("linux", "mountLabel")),
    "AppArmor": (("process", "apparmorProfile"),),
}


def upgrade(config: RuntimeConfig) -> list[str]:
    """Change the forms of runtime-spec before 1.0 into today's; return a warning for each."""
    _remove_empty(config)
    return [
        *_capabilities(config["process"], config["linux"]),
        *_seccomp(config["linux"].get("seccomp", {})),
        *_oom_score(config["process"], config["linux"]),
        *_version(config),
    ]


def drop_labels(config: RuntimeConfig, modules: frozenset[str]) -> list[str]:
    """Take out the labels of security modules that this host does not run; return a warning for each.

    Nobody would enforce them here, and runtimes refuse to start a container that has one.
    """
    dropped = []
    for module, labels in _LABELS.items():
        for part, key in labels:
            if module not in modules and key in config[part]:
                dropped.append(f"{part}.{key} {config[part].pop(key)!a} is left out: {module} is off here")
    return dropped


def _remove_empty(config: RuntimeConfig) -> None:
    process, linux = config["process"], config["linux"]
    for part, keys in _MAY_BE_EMPTY.items():
        for key in keys:
            if config[part].get(key) == "":
                del config[part][key]
    for namespace in linux.get("namespaces", []):
        if namespace.get("path") == "":
            del namespace["path"]
    if "resources" in linux:
        # crun has no limits for the network to offer, not even none
        linux["resources"] = {key: limit for key, limit in linux["resources"].items() if limit != {}}
    seccomp = linux.get("seccomp", {})
    if not seccomp.get("defaultAction") and not seccomp.get("syscalls"):
        linux.pop("seccomp", None)
    if "env" in process:
        # what a variable without a value leaves; runc refuses it
        process["env"] = [variable for variable in process["env"] if variable]


def _capabilities(process: dict[str, Any], linux: dict[str, Any]) -> Iterator[str]:
    granted = process.get("capabilities")
    if isinstance(granted, list):
        process["capabilities"] = _all_sets(granted)
        yield f"process.capabilities is a list, {_SINCE}"
    old = linux.pop("capabilities", None)
    if isinstance(old, list):
        process.setdefault("capabilities", _all_sets(old))
        yield "linux.capabilities is obsolete since OCI runtime-spec 1.0: moved to process"


def _all_sets(names: list[str]) -> dict[str, list[str]]:
    return {kind: list(names) for kind in ("bounding", "effective", "permitted", "inheritable")}


def _seccomp(seccomp: dict[str, Any]) -> Iterator[str]:
    old = [rule for rule in seccomp.get("syscalls", []) if "name" in rule]
    for rule in old:
        name = rule.pop("name")
        rule.setdefault("names", [name])
    if old:
        yield f"linux.seccomp has one name in each rule, {_SINCE}"


def _oom_score(process: dict[str, Any], linux: dict[str, Any]) -> Iterator[str]:
    score = linux.get("resources", {}).pop("oomScoreAdj", 0)
    if score:
        process.setdefault("oomScoreAdj", score)
        yield "linux.resources.oomScoreAdj is obsolete since OCI runtime-spec 1.0: moved to process"


def _version(config: RuntimeConfig) -> Iterator[str]:
    version = config.get("ociVersion", "")
    if not version.startswith("1."):
        config["ociVersion"] = OCI_VERSION
        yield f"ociVersion {version or 'missing'}: upgraded to {OCI_VERSION}"
