"""The process of a command in a container: the service's own, but for what was said."""

from pathlib import Path
from typing import Any

import pytest

from os_containers.errors import UsageError
from os_containers.operations.command import Command, code_of, parse_environment, process_of

CAPABILITIES = {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}
CONFIG: dict[str, Any] = {
    "process": {
        "args": ["/bin/app"],
        "cwd": "/srv",
        "env": ["PATH=/bin", "COLOR=blue"],
        "user": {"uid": 0, "gid": 0},
        "capabilities": CAPABILITIES,
    }
}


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("web:x:33:34::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("web:x:34:\nlogs:x:44:web\n")
    return tmp_path


def test_it_is_the_services_own_where_nothing_is_said(rootfs: Path) -> None:
    """But for its terminal, of which there is none here."""
    assert process_of(CONFIG, Command(), rootfs=rootfs) == CONFIG["process"] | {"terminal": False}
    assert process_of(CONFIG, Command(["id"]), rootfs=rootfs)["args"] == ["id"]


def test_what_is_said_takes_the_place_of_it(rootfs: Path) -> None:
    """Another user than root has no capabilities that it would not have elsewhere."""
    command = Command((), {"COLOR": "red", "LANG": "C"}, "web", "/tmp")
    described = process_of(CONFIG, command, rootfs=rootfs)
    assert described["env"] == ["PATH=/bin", "COLOR=red", "LANG=C"]
    assert described["user"] == {"uid": 33, "gid": 34, "additionalGids": [34, 44]}
    assert described["capabilities"] == {"bounding": ["CAP_CHOWN"]}
    assert described["cwd"] == "/tmp"
    as_root = process_of(CONFIG, Command(user="0"), rootfs=rootfs)
    assert as_root["capabilities"] == CAPABILITIES


@pytest.mark.parametrize("directory", ["srv", "/srv/../x", "/proc/self/fd/7", "//proc/1", "/./proc"])
def test_cve_2024_21626_no_command_is_run_in_proc(rootfs: Path, directory: str) -> None:
    """Nor in a directory that depends on where it is."""
    with pytest.raises(UsageError):
        process_of(CONFIG, Command(directory=directory), rootfs=rootfs)


def test_a_user_that_the_image_does_not_know_is_a_mistake_of_who_asks(rootfs: Path) -> None:
    """The image is in order."""
    with pytest.raises(UsageError, match="nobody"):
        process_of(CONFIG, Command(user="nobody"), rootfs=rootfs)


def test_a_variable_without_value_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is set; as with podman."""
    monkeypatch.setenv("OURS", "x=y")
    monkeypatch.delenv("NOT_OURS", raising=False)
    assert parse_environment(["A=b=c", "OURS", "NOT_OURS", "E="]) == {"A": "b=c", "OURS": "x=y", "E": ""}
    with pytest.raises(UsageError, match="is not NAME=VALUE"):
        parse_environment(["=b"])


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (255, ["nope"], 127),
        (1, ["/bin/nope"], 127),
        (255, ["app"], 255),
        (255, ["./there"], 255),
        (255, ["/data/nope"], 255),
        (0, ["nope"], 0),
    ],
)
def test_a_program_that_is_not_there_has_the_code_of_a_shell(
    rootfs: Path, code: int, words: list[str], expected: int
) -> None:
    """What may be in a mount is not known to be missing."""
    for program in ("bin/app", "srv/there"):
        (rootfs / program).parent.mkdir(exist_ok=True)
        (rootfs / program).touch()
    config = {**CONFIG, "mounts": [{"destination": "/data", "type": "bind", "source": "/srv"}]}
    described = process_of(config, Command(words), rootfs=rootfs)
    assert code_of(code, config, described, rootfs) == expected
