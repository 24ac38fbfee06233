"""What a killed command leaves, and what becomes of it."""

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from os_containers.deployment.exports import FileKind
from os_containers.deployment.record import InstalledFile
from os_containers.host.temporaries import remove_temporaries, temporary_for

if TYPE_CHECKING:
    from conftest import Host


def test_b84_what_was_being_written_is_removed(host: "Host") -> None:
    """It has no mode yet, and any content."""
    waiting = host.root / temporary_for("app", "/etc/a")
    waiting.write_text("half of it")
    waiting.chmod(0)
    assert remove_temporaries("app", [file("/etc/a", "1")], root=host.host_root) == []
    assert list(host.root.iterdir()) == []


def test_b84_what_waits_is_removed_and_what_others_have_stays(host: "Host") -> None:
    """Of another container, whose name may start like ours, or which only looks like one of ours."""
    host.go((), {"etc/a": "1", f"etc/{temporary_for('app', '/etc/a')}": "1"})
    others = {
        f"etc/{temporary_for('app2', '/etc/a')}": "1",
        f"etc/{temporary_for('app', '/etc/a')}.conf": "1",
        "etc/.os-containers-app@": "1",
    }
    host.go((), others)
    remove_temporaries("app", [file("/etc/a", "1")], root=host.host_root)
    assert host.files() == {"etc/a": "1"} | others


def test_i8_an_edit_that_was_just_taken_away_is_put_back(host: "Host") -> None:
    """The command was killed between the exchange and the look at what came away."""
    (host.root / "etc").mkdir()
    (host.root / "etc" / temporary_for("app", "/etc/a")).write_text("edited")
    (host.root / "etc/a").write_text("2")
    (host.root / "etc" / temporary_for("app", "/etc/gone")).write_text("edited, too")
    installed = [file("/etc/a", "1"), file("/etc/a", "2"), file("/etc/gone", "1")]
    assert remove_temporaries("app", installed, root=host.host_root) == []
    assert host.files() == {"etc/a": "edited", "etc/gone": "edited, too"}


@pytest.mark.parametrize("kind", ["pipe", "directory"])
def test_i8_whatever_was_taken_away_is_put_back(host: "Host", kind: str) -> None:
    """A pipe, or a directory with something in it, that somebody had made of our file."""
    (host.root / "a").write_text("2")
    away = host.root / temporary_for("app", "/a")
    if kind == "pipe":
        os.mkfifo(away)
    else:
        (away / "inner").mkdir(parents=True)
    assert remove_temporaries("app", [file("/a", "1"), file("/a", "2")], root=host.host_root) == []
    assert [path.name for path in host.root.iterdir()] == ["a"]
    assert (host.root / "a").is_fifo() if kind == "pipe" else (host.root / "a/inner").is_dir()


def test_i8_what_cannot_be_put_back_stays_and_is_told(host: "Host") -> None:
    """Its place has been taken by somebody, or is not known."""
    taken, unknown = temporary_for("app", "/a"), temporary_for("app", "/b")
    content = {taken: "edited", unknown: "edited, too", "a": "newer"}
    host.go((), content)
    stayed = remove_temporaries("app", [file("/a", "1")], root=host.host_root)
    assert stayed == sorted([f"/{taken}", f"/{unknown}"])
    assert host.files() == content


def test_b78_a_directory_that_was_being_made_goes(host: "Host") -> None:
    """It is empty until it has its name."""
    (host.root / temporary_for("app", "/etc")).mkdir(mode=0o700)
    remove_temporaries("app", [file("/etc/a", "1")], root=host.host_root)
    assert list(host.root.iterdir()) == []


@pytest.mark.parametrize("link", ["-> /", "-> ../.."])
def test_b70_a_directory_that_is_a_link_now_is_not_searched(host: "Host", link: str) -> None:
    """Whatever it points to."""
    name = temporary_for("app", "/open/app/a")
    host.go((), {"open/x": "x", name: "1"})
    (host.root / "open").chmod(0o777)
    (host.root / "open/app").symlink_to(link.removeprefix("-> "))
    remove_temporaries("app", [file("/open/app/a", "1")], root=host.host_root)
    assert (host.root / name).exists()


def file(path: str, text: str) -> InstalledFile:
    return InstalledFile(path, FileKind.FILE, hashlib.sha256(text.encode()).hexdigest())
