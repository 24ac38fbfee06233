"""The info file: ours and the predecessors'."""

import json
from dataclasses import replace

import pytest

from os_containers.deployment.exports import FileKind
from os_containers.deployment.record import SIZE_LIMIT, InstalledFile, Record, dump_record, parse_record
from os_containers.deployment.values import Origin, Value
from os_containers.errors import BrokenError, ImageError

RECORD = Record(
    serial=17,
    image="docker.io/library/etcd:latest",
    digest="sha256:" + "a" * 64,
    commit="b" * 64,
    created=1.5,
    runtime="/usr/bin/crun",
    values={"A": Value("1", Origin.SET), "B": Value("2", Origin.DEFAULT)},
    installed=(
        InstalledFile("/etc/etcd", FileKind.DIRECTORY),
        InstalledFile("/etc/etcd/etcd.conf", FileKind.FILE, "c" * 64),
    ),
    unknown={"later": [1]},
)


def test_a_record_survives_the_file() -> None:
    """Unknown keys too."""
    assert parse_record(dump_record(RECORD)) == RECORD


def test_the_file_keeps_the_predecessors_keys() -> None:
    """The Go tool and atomic read these."""
    tree = json.loads(dump_record(RECORD))
    assert tree["revision"] == RECORD.digest
    assert tree["installed-files"] == ["/etc/etcd/etcd.conf"]
    assert tree["installed-files-checksum"] == {"/etc/etcd/etcd.conf": "c" * 64}
    assert tree["values"] == {"A": "1", "B": "2"}
    assert tree["has-container-service"] is True


def test_a_record_of_the_go_tool_is_read() -> None:
    """It knew no origins: its values count as defaults, and its files as files."""
    record = parse_record(
        b'{"ostree-commit": "0", "revision": "'
        + b"d" * 64
        + b'", "image": "etcd", "created": 5, "remote": "",'
        b' "runtime": "/usr/bin/runc", "installed-files": ["/a"], "installed-files-checksum": {"/a": "e"},'
        b' "values": {"A": "1"}}'
    )
    assert record.digest == "sha256:" + "d" * 64
    assert record.installed == (InstalledFile("/a", FileKind.FILE, "e"),)
    assert record.values == {"A": Value("1", Origin.DEFAULT)}


def test_b97_a_record_that_nobody_would_read_is_not_written() -> None:
    """The largest that is written is read again."""
    room = SIZE_LIMIT - len(dump_record(replace(RECORD, runtime="")))
    largest = replace(RECORD, runtime="x" * room)
    assert len(dump_record(largest)) == SIZE_LIMIT
    assert parse_record(dump_record(largest)) == largest
    with pytest.raises(ImageError, match="has 16777217 bytes, more than 16777216"):
        dump_record(replace(RECORD, runtime="x" * (room + 1)))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not a deployment's record"),
        (b"{}", "not a deployment's record"),
        (b'{"image": 1, "revision": "x"}', "not a deployment's record"),
        (dump_record(RECORD)[:-20], "not a deployment's record"),
        (b'{"image": "x", "revision": "x", "schema": 99}', "schema 99"),
        (b'{"image": "x", "revision": "x", "complete": false}', "not complete"),
    ],
)
def test_b97_a_damaged_record_is_told_as_broken(raw: bytes, message: str) -> None:
    """Empty, truncated, of wrong types, from the future, not finished."""
    with pytest.raises(BrokenError, match=message):
        parse_record(raw)
