"""The runtime configuration: parsed strictly, upgraded, confined."""

import json
from typing import Any

import pytest

from os_containers.deployment.runtime_config import bind_sources, confine, parse_config, upgrade
from os_containers.errors import ImageError

SMALL: dict[str, Any] = {"ociVersion": "1.0.0", "process": {}, "root": {"path": "rootfs"}, "linux": {}}


def config(**changes: object) -> dict[str, Any]:
    return parse_config(json.dumps(SMALL | changes).encode(), source="config.json")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"process": }', "line 1 column 13"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON|nested too deeply"),
        (b'{"root": {}, "linux": {}}', "no object 'process'"),
        (b'{"process": {}, "root": "rootfs", "linux": {}}', "no object 'root'"),
        (b'{"process": {}, "process": {}, "root": {}, "linux": {}}', "'process' stands twice"),
        (b"\xff\xfe\xff", "not valid JSON"),
        (b'{"process": {}, "root": {}, "linux": {}, "hostname": "\\ud800"}', "not valid JSON"),
    ],
)
def test_b56_parse_config_refuses_what_no_runtime_should_get(raw: bytes, message: str) -> None:
    """The source and the place are told."""
    with pytest.raises(ImageError, match=message) as raised:
        parse_config(raw, source="exports/config.json")
    assert raised.value.message.startswith("exports/config.json")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"root": {"path": 5}}, "root.path"),
        ({"ociVersion": 1}, "ociVersion"),
        ({"mounts": {}}, "mounts"),
        ({"mounts": [None]}, r"mounts\[0\]"),
        ({"mounts": [{"type": "sysfs"}]}, "destination"),
        ({"mounts": [{"destination": "/a", "source": 1}]}, "source"),
        ({"mounts": [{"destination": "/a", "options": [1]}]}, "options"),
        ({"linux": {"namespaces": ["pid"]}}, "namespaces"),
        ({"process": {"capabilities": [1]}}, "capabilities"),
    ],
)
def test_b56_parse_config_checks_the_types_of_what_we_touch(changes: dict[str, Any], place: str) -> None:
    """Also there the place is told."""
    with pytest.raises(ImageError, match=place):
        config(**changes)


def test_b56_null_is_as_absent() -> None:
    """Go writes it for nil slices, maps and pointers."""
    nulls = config(
        mounts=None, hooks=None, process={"capabilities": None}, linux={"namespaces": None, "devices": None}
    )
    assert nulls == SMALL
    nulls = config(mounts=[{"destination": "/a", "source": "/b", "options": None}])
    assert bind_sources(nulls) == []
    assert bind_sources(config(mounts=None)) == []


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


def test_confine_makes_root_read_only_and_keeps_unknown_keys() -> None:
    """The files of the rootfs are hard links into the repo."""
    wide = config(root={"path": "rootfs", "readonly": False}, hooks={"x": 1}, process={"terminal": True})
    confine(wide, cgroups_path="/system.slice/a.service/container")
    assert wide["root"] == {"path": "rootfs", "readonly": True}
    assert wide["process"]["terminal"] is False
    assert wide["linux"]["cgroupsPath"] == "/system.slice/a.service/container"
    assert wide["hooks"] == {"x": 1}


@pytest.mark.parametrize("path", ["/", "/etc", "rootfs/..", "", "../rootfs"])
def test_b56_confine_refuses_another_root(path: str) -> None:
    """A container lives in its own rootfs."""
    with pytest.raises(ImageError, match=r"root\.path"):
        confine(config(root={"path": path}), cgroups_path="/x")


def test_bind_sources_are_the_host_paths_of_bind_mounts() -> None:
    """A tmpfs has a source too, but no host path."""
    mounts = [
        {"destination": "/a", "type": "bind", "source": "/srv/a", "options": ["rbind", "rw"]},
        {"destination": "/b", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
    ]
    assert bind_sources(config(mounts=mounts)) == ["/srv/a"]
