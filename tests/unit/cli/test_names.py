"""Names that are none, given to every command that takes one."""

from pathlib import Path

import pytest

from os_containers.cli.main import cli
from os_containers.errors import NotFoundError, UsageError

BAD_NAMES = [
    *("", ".", "..", "../x", "a/b", "/etc/x", "-x", "--force", "x y", "x\n", "é", "x" * 65, "x" * 300),
    *(
        "x@y",
        "x%i",
        "x.service",
        "x.socket",
        "x.timer",
        ".storage",
        ".deploy",
        "$(touch /x)",
        "a;b",
        "\x1b[m",
    ),
]
COMMANDS = [
    ("install", "--name={}", "example.org/app"),
    *((command, "--", "{}") for command in ("update", "rollback", "uninstall", "recover")),
]
# every name of the row; the others are names of images, which `run` takes as well
NO_IMAGES = ["", ".", "..", "../x", "-x", "x y", "x\n", "é", "x" * 300, "x@y", "x%i", ".storage"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_b63_what_is_no_name_is_refused_by_every_command(
    command: tuple[str, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first thing: the state is not even made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OS_CONTAINERS_CHECKOUT_PATH", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME", "true")
    with pytest.raises(UsageError, match=r"is not a container name|ends like a systemd unit") as raised:
        cli.main([word.format(name) for word in command], standalone_mode=False)
    assert raised.value.exit_code == 2
    assert raised.value.hint is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NO_IMAGES)
def test_b63_run_takes_no_such_name_for_an_image(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks nobody, and nothing is there afterwards but the empty store."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OS_CONTAINERS_CHECKOUT_PATH", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME", "true")
    with pytest.raises((UsageError, NotFoundError)) as raised:
        cli.main(["run", "--", name, "touch", "/x"], standalone_mode=False)
    assert raised.value.hint is not None
    assert not (tmp_path / "state/.staging").exists() or not any((tmp_path / "state/.staging").iterdir())
