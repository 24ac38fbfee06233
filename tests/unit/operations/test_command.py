"""The process of a command in a container: the service's own, but for what was said."""

from pathlib import Path
from typing import Any

import pytest

from os_containers.errors import NoCommandError, UsageError
from os_containers.operations.command import (
    Command,
    check_command,
    lost_output,
    parse_environment,
    process_of,
    runtime_failure,
)

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


@pytest.fixture
def config(rootfs: Path) -> dict[str, Any]:
    """Give the configuration of a container with two programs, a directory and a mount."""
    for program in ("bin/app", "srv/there"):
        (rootfs / program).parent.mkdir(exist_ok=True)
        (rootfs / program).touch()
    return {**CONFIG, "mounts": [{"destination": "/data", "type": "bind", "source": "/srv"}]}


@pytest.mark.parametrize("words", [["nope"], ["/bin/nope"], ["./nope"], ["/etc/passwd/x"]])
def test_a_program_that_is_not_there_is_not_run(
    rootfs: Path, config: dict[str, Any], words: list[str]
) -> None:
    """It has the exit code of a shell, and the container is named."""
    command = Command(words)
    described = process_of(config, command, rootfs=rootfs)
    with pytest.raises(NoCommandError, match=f"there is no program '{words[0]}' in web") as caught:
        check_command(config, described, command, rootfs, where="web")
    assert caught.value.exit_code == 127
    assert ("PATH is /bin" in str(caught.value.hint)) is ("/" not in words[0])


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["app"], {}),
        (["./there"], {}),
        (["/data/nope"], {}),
        (["nope"], {"PATH": "/bin:/data"}),
        (["there"], {"PATH": "/bin:."}),
        # who knows why it cannot be run
        (["/etc"], {}),
    ],
)
def test_a_program_that_may_be_there_is_left_to_the_runtime(
    rootfs: Path, config: dict[str, Any], words: list[str], environment: dict[str, str]
) -> None:
    """What may be in a mount is not known to be missing."""
    command = Command(words, environment)
    described = process_of(config, command, rootfs=rootfs)
    check_command(config, described, command, rootfs, where="web")


def test_a_program_is_left_to_the_runtime_without_a_path(rootfs: Path, config: dict[str, Any]) -> None:
    """Each has its own."""
    command = Command(["nope"])
    described = process_of(config, command, rootfs=rootfs) | {"env": []}
    check_command(config, described, command, rootfs, where="web")


@pytest.mark.parametrize("directory", ["/nosuch", "/bin/app"])
def test_a_directory_that_is_none_is_a_mistake_of_who_asks(
    rootfs: Path, config: dict[str, Any], directory: str
) -> None:
    command = Command(["app"], directory=directory)
    described = process_of(config, command, rootfs=rootfs)
    with pytest.raises(UsageError, match=f"'{directory}' is not a directory in web"):
        check_command(config, described, command, rootfs, where="web")


RUNC = b'{"level":"error","msg":"exec failed: exec: \\"/etc\\": permission denied","time":"2026"}\n'
CRUN = b'{"msg":"open executable: No such file or directory","level":"error","time":"2026"}\n'
WARNING = b'{"level":"warning","msg":"signal: killed"}\nno JSON\n'


@pytest.mark.parametrize(
    ("code", "log", "expected"),
    [
        (255, RUNC, 126),
        (1, CRUN, 127),
        (127, CRUN, 127),
        # these are the program's own
        (255, b"", None),
        (127, WARNING, None),
        (3, RUNC, None),
        (0, CRUN, None),
    ],
)
def test_what_a_runtime_could_not_run_is_told_by_its_log(code: int, log: bytes, expected: int | None) -> None:
    """A program may end with any code."""
    failure = runtime_failure(code, log, {"args": ["/etc"]}, where="web")
    assert (failure.exit_code if failure else None) == expected
    if failure:
        assert failure.message.startswith("'/etc' cannot be run in web: ")


ENTRY = b'{"msg": "no such file", "level": "error", "time": "2026-11-27T14:48:21Z"}\n'


@pytest.mark.parametrize(
    ("log", "output"),
    [
        (b"", b""),
        (ENTRY, b""),
        (b"yes\r\n\n", b"yes\r\n"),
        (b"one\r\ntwo\r\n\n", b"one\r\ntwo\r\n"),
        (b"\xff\x1b[H\n", b"\xff\x1b[H"),
        (b"yes\r\n\n" + ENTRY, b"yes\r\n"),
        (b'{"answer": 42}\r\n\n', b'{"answer": 42}\r\n'),
    ],
)
def test_what_a_command_wrote_into_the_log_of_its_runtime_is_its_output(log: bytes, output: bytes) -> None:
    """As crun 1.21 has it now and then on a terminal; what the runtime itself logs is not."""
    assert lost_output(log) == output
