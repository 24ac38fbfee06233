"""What an ordinary user's container needs."""

from os_containers.deployment.rootless import drop_groups, make_rootless
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.subids import IdRange, UserIds


def config(*mounts: dict[str, object]) -> RuntimeConfig:
    return {
        "process": {},
        "root": {"path": "rootfs"},
        "mounts": list(mounts),
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "network"}],
            "resources": {"memory": {"limit": 1}},
            "devices": [],
        },
    }


def test_make_rootless_maps_root_to_the_user_and_the_rest_to_its_subids() -> None:
    """The network is the host's, limits are the unit's."""
    changed = config()
    make_rootless(changed, UserIds(1000, 1001, IdRange(100_000, 65536), IdRange(200_000, 65536)))
    assert changed["linux"] == {
        "namespaces": [{"type": "pid"}, {"type": "user"}],
        "uidMappings": [
            {"containerID": 0, "hostID": 1000, "size": 1},
            {"containerID": 1, "hostID": 100_000, "size": 65536},
        ],
        "gidMappings": [
            {"containerID": 0, "hostID": 1001, "size": 1},
            {"containerID": 1, "hostID": 200_000, "size": 65536},
        ],
    }


def test_b102_make_rootless_works_without_subids() -> None:
    """Then root is the only user, and devpts has no tty group."""
    pts = {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["gid=5", "mode=0620"]}
    changed = config(pts)
    make_rootless(changed, UserIds(1000, 1000, None, None))
    assert changed["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert changed["mounts"][0]["options"] == ["mode=0620"]


def test_make_rootless_binds_the_hosts_sys() -> None:
    """A user may mount a sysfs only in a network namespace of his own."""
    changed = config({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]})
    make_rootless(changed, UserIds(1000, 1000, None, None))
    assert changed["mounts"][0]["source"] == "/sys"
    assert "rbind" in changed["mounts"][0]["options"]


def test_drop_groups_returns_those_that_are_missed() -> None:
    """The first is the user's own group, which it keeps."""
    changed = config()
    changed["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [6, 7]}
    assert drop_groups(changed) == [7]
    assert changed["process"]["user"] == {"uid": 5, "gid": 6}
    assert drop_groups(changed) == []
