"""Old and empty forms of the runtime configuration, and labels that this host does not know."""

import json
from typing import Any

import pytest

from os_containers.deployment.old_config import drop_labels, upgrade
from os_containers.deployment.runtime_config import parse_config

SMALL: dict[str, Any] = {"ociVersion": "1.0.0", "process": {}, "root": {"path": "rootfs"}, "linux": {}}


def config(**changes: object) -> dict[str, Any]:
    return parse_config(json.dumps(SMALL | changes).encode(), source="config.json")


def test_upgrade_spreads_a_list_of_capabilities_over_the_sets() -> None:
    """For runc refuses to parse the list of runtime-spec 0.x."""
    old = config(process={"capabilities": ["CAP_KILL"]})
    assert len(upgrade(old)) == 1
    assert old["process"]["capabilities"] == {
        "bounding": ["CAP_KILL"],
        "effective": ["CAP_KILL"],
        "permitted": ["CAP_KILL"],
        "inheritable": ["CAP_KILL"],
    }


def test_upgrade_moves_capabilities_from_linux_and_raises_the_version() -> None:
    """There runc ignores them, crun refuses the version."""
    old = config(ociVersion="0.3.0", linux={"capabilities": ["CAP_KILL"]})
    assert len(upgrade(old)) == 2
    assert old["ociVersion"] == "1.0.2"
    assert "capabilities" not in old["linux"]
    assert old["process"]["capabilities"]["bounding"] == ["CAP_KILL"]


def test_upgrade_leaves_a_modern_configuration_alone() -> None:
    """Nothing is told either."""
    modern = config()
    assert upgrade(modern) == []
    assert modern == SMALL


@pytest.mark.parametrize(
    ("empty", "without"),
    [
        (
            {"linux": {"namespaces": [{"type": "pid", "path": ""}]}},
            {"linux": {"namespaces": [{"type": "pid"}]}},
        ),
        ({"linux": {"seccomp": {"defaultAction": "", "architectures": None, "syscalls": None}}}, {}),
        ({"linux": {"seccomp": {}}}, {}),
        ({"linux": {"cgroupsPath": "", "mountLabel": "", "rootfsPropagation": ""}}, {}),
        ({"linux": {"resources": {"oomScoreAdj": 0}}}, {"linux": {"resources": {}}}),
        (
            {"linux": {"resources": {"network": {"classID": None}, "devices": []}}},
            {"linux": {"resources": {"devices": []}}},
        ),
        ({"process": {"apparmorProfile": "", "selinuxLabel": ""}}, {}),
        ({"process": {"env": ["A=1", "", "B="]}}, {"process": {"env": ["A=1", "B="]}}),
        ({"process": {"args": ["/bin/app", ""]}}, {"process": {"args": ["/bin/app", ""]}}),
    ],
)
def test_upgrade_removes_what_is_empty_and_means_nothing(
    empty: dict[str, Any], without: dict[str, Any]
) -> None:
    """Crun opens a namespace of no name, runc refuses a variable of none; an argument may be empty."""
    written = config(**empty)
    assert upgrade(written) == []
    assert written == SMALL | without


def test_upgrade_names_a_list_of_system_calls_in_each_rule() -> None:
    """Runc reads past the old form, and so lets through what the image wanted refused."""
    rules = [{"name": "mount", "action": "SCMP_ACT_ERRNO"}, {"names": ["a", "b"], "action": "SCMP_ACT_ERRNO"}]
    old = config(linux={"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}})
    assert upgrade(old) == [
        "linux.seccomp has one name in each rule, as before OCI runtime-spec 1.0: upgraded"
    ]
    assert [rule["names"] for rule in old["linux"]["seccomp"]["syscalls"]] == [["mount"], ["a", "b"]]
    assert "name" not in old["linux"]["seccomp"]["syscalls"][0]


def test_upgrade_leaves_rules_without_a_default_for_the_runtime_to_refuse() -> None:
    """A filter that cannot be understood is not taken away."""
    half = config(linux={"seccomp": {"syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}})
    assert upgrade(half) == []
    assert len(half["linux"]["seccomp"]["syscalls"]) == 1


def test_upgrade_moves_the_oom_score_to_the_process() -> None:
    """Where both runtimes look for it."""
    old = config(linux={"resources": {"oomScoreAdj": -999}})
    assert len(upgrade(old)) == 1
    assert old["process"] == {"oomScoreAdj": -999}
    assert old["linux"] == {"resources": {}}


LABELLED = {
    "process": {"selinuxLabel": "system_u:system_r:spc_t:s0", "apparmorProfile": "app"},
    "linux": {"mountLabel": "system_u:object_r:container_file_t:s0"},
}


def test_labels_stay_where_their_security_module_is_on() -> None:
    """There they confine the container."""
    labelled = config(**LABELLED)
    assert drop_labels(labelled, frozenset({"SELinux", "AppArmor"})) == []
    assert labelled == SMALL | LABELLED


def test_labels_go_where_their_security_module_is_off() -> None:
    """Nobody enforces them there, and both runtimes refuse to start with one."""
    labelled = config(**LABELLED)
    assert drop_labels(labelled, frozenset({"AppArmor"})) == [
        "process.selinuxLabel 'system_u:system_r:spc_t:s0' is left out: SELinux is off here",
        "linux.mountLabel 'system_u:object_r:container_file_t:s0' is left out: SELinux is off here",
    ]
    assert labelled == SMALL | {"process": {"apparmorProfile": "app"}}
    assert drop_labels(labelled, frozenset()) == [
        "process.apparmorProfile 'app' is left out: AppArmor is off here"
    ]
    assert labelled == SMALL
