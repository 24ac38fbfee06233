"""The commands of containers: which are listed, what is asked, which options go together."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from command_line import call


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["update"], "error: no container is named"),
        (["update", "--all", "etcd"], "error: --all updates each container with its own image and values"),
        (
            ["update", "--all", "--set", "A=b"],
            "error: --all updates each container with its own image and values",
        ),
        (["update", "--json", "etcd"], "error: --json without --dry-run needs --all"),
        (
            ["containers", "list", "--filter", "colour=green"],
            "error: --filter 'colour=green' is not a filter",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: list[str], error: str) -> None:
    done = call(*words, home=tmp_path)
    assert (done.returncode, error_of(done)) == (2, error)


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "status", "logs"])
def test_what_is_no_container_is_told(tmp_path: Path, verb: str) -> None:
    done = call(verb, "etcd", home=tmp_path)
    assert (done.returncode, error_of(done)) == (3, "error: there is no container named 'etcd'")


def test_each_of_several_is_told(tmp_path: Path) -> None:
    """A name that is given twice counts once."""
    done = call("containers", "delete", "--yes", "one", "two", "one", home=tmp_path)
    assert done.returncode == 3
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        "error: there is no container named 'one'",
        "error: there is no container named 'two'",
    ]


def test_nobody_is_asked_about_containers_that_are_not_there(tmp_path: Path) -> None:
    """Each such name is told, and nothing is removed."""
    person, terminal = pty.openpty()
    try:
        done = call("containers", "delete", "one", "two", home=tmp_path, stdin=terminal)
    finally:
        os.close(person)
        os.close(terminal)
    assert done.returncode == 3
    assert [line for line in done.stderr.splitlines() if not line.startswith("hint")] == [
        "error: there is no container named 'one'",
        "error: there is no container named 'two'",
    ]


def test_without_containers_there_is_only_the_heading(tmp_path: Path) -> None:
    done = call("containers", "list", home=tmp_path)
    assert done.stdout.split() == ["NAME", "IMAGE", "CREATED", "STATE", "RUNTIME", "IMAGE", "ID"]
    assert call("containers", "list", "--no-heading", home=tmp_path).stdout == ""
    assert call("update", "--all", "--json", home=tmp_path).stdout == "[]\n"


def test_who_says_no_is_told_that_nothing_was_deleted(tmp_path: Path) -> None:
    """With the exit code of what was not asked for."""
    (tmp_path / "state/.deploy/one/1").mkdir(parents=True)
    (tmp_path / "state/one").symlink_to(".deploy/one/1")
    person, terminal = pty.openpty()
    try:
        os.write(person, b"n\n")
        done = call("containers", "delete", "one", home=tmp_path, stdin=terminal)
    finally:
        os.close(person)
        os.close(terminal)
    assert done.returncode == 2
    # the terminal goes to the next line with what is typed
    assert done.stderr.partition("]: ")[2].splitlines() == [
        "error: nothing was deleted: the answer was no",
        "hint: answer y, or give --yes",
    ]
    assert (tmp_path / "state/one").is_symlink()
