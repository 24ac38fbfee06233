"""The runtime configuration: parsed strictly, confined."""

import json
from pathlib import Path
from typing import Any

import pytest

from os_containers.deployment.runtime_config import (
    bind_sources,
    confine,
    has_terminals,
    may_have_program,
    parse_config,
)
from os_containers.errors import ImageError

SMALL: dict[str, Any] = {"ociVersion": "1.0.0", "process": {}, "root": {"path": "rootfs"}, "linux": {}}


def config(**changes: object) -> dict[str, Any]:
    return parse_config(json.dumps(SMALL | changes).encode(), source="config.json")


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "1:1: not valid JSON"),
        (b'{"process": }', "1:13: not valid JSON: Expecting value"),
        (
            b'{\n  "process": {},\n  "root": {}\n  "linux": {}}',
            "4:3: not valid JSON: Expecting ',' delimiter",
        ),
        (b"[]", "1:1: not a JSON object"),
        (b"null", "1:1: not a JSON object"),
        (b"[" * 100_000, "1:101: nested deeper than 100"),
        (b'{"root": {}, "linux": {}}', "1:1: no object 'process'"),
        (b'{"process": {}, "linux": {}}', "1:1: no object 'root'"),
        (b'{"process": {}, "root": {"path": "rootfs"}}', "1:1: no object 'linux'"),
        (b'{"process": {},\n "root": "rootfs", "linux": {}}', "2:2: no object 'root'"),
        (b'{"process": {},\n "process": {}, "root": {}, "linux": {}}', "2:2: the key 'process' occurs twice"),
        (b'{"a": [{}, {"b": 1,\n"c": {"b": 1}, "b": 2}]}', "2:16: the key 'b' occurs twice"),
        (b'{"\xc3\xa9\xff": 1}', "1:4: not valid JSON: invalid start byte in UTF-8"),
        (b'{"process": {}, "root": {}, "linux": {}, "hostname": "\\ud800"}', "1:1: not valid JSON"),
        (b'{"process": {"rlimit": NaN}}', "1:1: not valid JSON: NaN is not a JSON number"),
        (b'{"a": ' + b"1" * 5000 + b"}", "1:1: not valid JSON"),
    ],
)
def test_b56_cve_2021_43860_parse_config_refuses_what_no_runtime_should_get(raw: bytes, place: str) -> None:
    """The source, the line and the column are told."""
    with pytest.raises(ImageError) as raised:
        parse_config(raw, source="exports/config.json")
    assert raised.value.message.startswith(f"exports/config.json:{place}")
    assert raised.value.hint is not None


@pytest.mark.parametrize(("depth", "fits"), [(100, True), (101, False)])
def test_b56_parse_config_takes_a_hundred_levels(depth: int, fits: bool) -> None:  # noqa: FBT001
    """Just below the limit and just above it."""
    # the object itself is the first level
    raw = json.dumps(SMALL)[:-1].encode() + b', "x": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    if fits:
        assert "x" in parse_config(raw, source="c")
    else:
        with pytest.raises(ImageError, match="nested deeper than 100"):
            parse_config(raw, source="c")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('"root": {"path": "/"}', "3:10: root.path is '/', not 'rootfs'"),
        ('"root": {}', "3:1: root.path is '', not 'rootfs'"),
        ('"root": {"path": "rootfs"}, "ociVersion": "2.0.0"', "3:29: ociVersion '2.0.0' is unknown"),
        ('"root": {"path": "rootfs"}, "ociVersion": "banana"', "3:29: ociVersion 'banana' is unknown"),
        ('"root": {"path": "rootfs"}, "ociVersion": ""', "3:29: ociVersion '' is unknown"),
        ('"root": {"path": "rootfs"}, "ociVersion": 1', "3:29: Expected `str`"),
        ('"root": {"path": "rootfs"}, "mounts": [\n{"destination": 1}]', "4:2: Expected `str`"),
        ('"root": {"path": "rootfs"}, "mounts": [{"destination": "/"},\n{}]', "4:1: Object missing"),
    ],
)
def test_b56_parse_config_tells_where_a_wrong_value_stands(line: str, place: str) -> None:
    """Also of what is valid JSON; a key that is missing is told at the object that should have it."""
    with pytest.raises(ImageError) as raised:
        parse_config(f'{{"process": {{}},\n"linux": {{}},\n{line}}}'.encode(), source="c")
    assert raised.value.message.startswith(f"c:{place}")


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2", "1.2.1", "1.0.0-rc5", "1.0", "0.3.0", "0.5.0-dev"])
def test_b56_parse_config_knows_the_versions_that_there_were(version: str) -> None:
    """Those before 1.0 are upgraded."""
    assert config(ociVersion=version)["ociVersion"] == version


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
        ({"process": {"env": [1]}}, "env"),
        ({"linux": {"seccomp": {"syscalls": [1]}}}, "syscalls"),
        ({"linux": {"resources": []}}, "resources"),
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


def test_confine_makes_root_read_only_and_keeps_unknown_keys() -> None:
    """The files of the rootfs are hard links into the repo."""
    wide = config(root={"path": "rootfs", "readonly": False}, hooks={"x": 1}, process={"terminal": True})
    confine(wide, cgroups_path="/system.slice/a.service/container")
    assert wide["root"] == {"path": "rootfs", "readonly": True}
    assert wide["process"]["terminal"] is False
    assert wide["linux"]["cgroupsPath"] == "/system.slice/a.service/container"
    assert wide["hooks"] == {"x": 1}


@pytest.mark.parametrize("path", ["/", "/etc", "rootfs/..", "", "../rootfs"])
def test_b56_parse_config_refuses_another_root(path: str) -> None:
    """A container lives in its own rootfs."""
    with pytest.raises(ImageError, match=r"root\.path"):
        config(root={"path": path})


@pytest.mark.parametrize(
    "directory", ["/proc/self/fd/7", "/proc", "proc/self/cwd", "/x/../proc/1/root", "//proc/self/fd/7"]
)
def test_cve_2024_21626_a_working_directory_in_proc_is_refused(directory: str) -> None:
    """A descriptor that a runtime forgot to close leads to the host's root there."""
    with pytest.raises(ImageError, match=r"process\.cwd"):
        confine(config(process={"cwd": directory}), cgroups_path="/x")


@pytest.mark.parametrize(
    ("mount", "has"),
    [
        ({"destination": "/dev/pts", "type": "devpts", "source": "devpts"}, True),
        ({"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}, True),
        ({"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}, False),
        ({"destination": "/srv", "type": "bind", "source": "/dev/pts"}, False),
    ],
)
def test_a_terminal_needs_a_devpts(mount: dict[str, Any], has: bool) -> None:  # noqa: FBT001
    """One of the container, or that of the host."""
    assert has_terminals(config(mounts=[mount])) is has


@pytest.mark.parametrize(
    ("there", "process", "destination", "may"),
    [
        ("usr/bin/app", {"args": ["/usr/bin/app"]}, "/data", True),
        ("usr", {"args": ["/usr/bin/app"]}, "/data", True),
        ("data", {"args": ["/usr/bin/app"]}, "/data", False),
        ("data", {"args": ["/usr/bin/app"]}, "/usr/bin", True),
        ("bin", {"args": ["app"], "env": ["PATH=/sbin:/bin"]}, "/data", True),
        ("data", {"args": ["app"], "env": ["PATH=/sbin:/bin"]}, "/data", False),
        ("opt", {"args": ["./app"], "cwd": "/opt/x"}, "/data", True),
        ("data", {"args": ["./app"], "cwd": "/opt/x"}, "/data", False),
        ("app", {"args": ["/app"]}, "/data", True),
        ("data", {"args": ["/opt/../app"]}, "/data", False),
        ("data", {"args": [], "env": ["PATH=/bin"]}, "/data", True),
        ("data", {"args": ["app"]}, "/data", True),
    ],
)
def test_a_root_may_have_the_program_where_its_first_directory_is(
    tmp_path: Path, there: str, process: dict[str, Any], destination: str, *, may: bool
) -> None:
    """What is below may be mounted later, or by the runtime; without a PATH that one knows where to look."""
    (tmp_path / there).mkdir(parents=True)
    mounts = [{"destination": destination, "type": "tmpfs", "source": "tmpfs"}]
    assert may_have_program(config(process=process, mounts=mounts), tmp_path) is may


def test_bind_sources_are_the_host_paths_of_bind_mounts() -> None:
    """A tmpfs has a source too, but no host path."""
    mounts = [
        {"destination": "/a", "type": "bind", "source": "/srv/a", "options": ["rbind", "rw"]},
        {"destination": "/b", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
    ]
    assert bind_sources(config(mounts=mounts)) == ["/srv/a"]
