"""config show: what is in force, and who says so."""

import json
import os
from pathlib import Path

import pytest

from os_containers.cli.main import cli

OWN = "os-containers/config.toml"


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[object, str, str]]:
    cli.main([*words, "config", "show", "--json"], standalone_mode=False)
    listed = json.loads(capsys.readouterr().out)
    return {one["key"]: (one["value"], one["source"], one["where"]) for one in listed}


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration file of a user, which is not there yet."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("OS_CONTAINERS_CHECKOUT_PATH", "OSTREE_REPO", "RUNTIME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / OWN
    path.parent.mkdir()
    return path


def test_what_nobody_has_set_is_a_default(
    own_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And all that can be set is there."""
    assert not own_file.exists()
    found = shown(capsys)
    assert {source for _, source, _ in found.values()} == {"default"}
    assert found["checkout-path"] == (f"{tmp_path}/.local/share/containers/atomic", "default", "")
    assert found["retention"] == (2, "default", "")
    assert found["lock-timeout"] == (60.0, "default", "")
    assert found["limits.layers"] == (500, "default", "")


def test_option_environment_file_default_is_the_order(
    own_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each hides those after it."""
    own_file.write_text('runtime = "one"\nlock-timeout = 5\nrepo = "/r"\n[limits]\nlayers = 7\n')
    found = shown(capsys)
    assert found["runtime"] == ("one", "file", str(own_file))
    assert found["lock-timeout"] == (5.0, "file", str(own_file))
    assert found["repo"] == ("/r", "file", str(own_file))
    assert found["limits.layers"] == (7, "file", str(own_file))
    monkeypatch.setenv("RUNTIME", "two")
    monkeypatch.setenv("OSTREE_REPO", "/e")
    found = shown(capsys)
    assert found["runtime"] == ("two", "environment", "RUNTIME")
    assert found["repo"] == ("/e", "environment", "OSTREE_REPO")
    found = shown(capsys, "--runtime=three", "--lock-timeout=0")
    assert found["runtime"] == ("three", "option", "--runtime")
    assert found["lock-timeout"] == (0, "option", "--lock-timeout")


def test_people_see_sizes_with_their_units(own_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As they would write them into the file."""
    own_file.write_text('limits.layer-size = "3GiB"\n')
    cli.main(["config", "show"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "FROM"]
    assert [line.split() for line in lines if line.startswith("limits.layer-size")] == [
        ["limits.layer-size", "3GiB", str(own_file)]
    ]
