"""Whether the host lets us, found before anything is changed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fingerprints import fingerprints

from os_containers.errors import SystemFaultError
from os_containers.host.writable import check_writable

if TYPE_CHECKING:
    from conftest import Host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and make files immutable")


@pytest.fixture
def immutable() -> Iterator[list[Path]]:
    """Give a list; what is put into it is changeable again afterwards."""
    paths: list[Path] = []
    yield paths
    for path in paths:
        subprocess.run(["chattr", "-ia", path], check=True)


def test_b77_a_read_only_file_system_is_told(host: "Host") -> None:
    """With the directory's name; a plan that changes nothing there is fine."""
    installed = host.go((), {"etc/a": "1", "usr/a": "1"}).installed
    usr = host.root / "usr"
    subprocess.run(["mount", "--bind", usr, usr], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", usr], check=True)
    try:
        before = fingerprints(host.root)
        for files in ({"etc/a": "2"}, {"etc/a": "2", "usr/a": "2"}, {"etc/a": "2", "usr/new/a": "2"}):
            with pytest.raises(SystemFaultError, match="/usr is on a read-only file system") as raised:
                check_writable(host.plan(installed, files))
            assert raised.value.exit_code == 8
        check_writable(host.plan(installed, {"etc/a": "2", "usr/a": "1"}))
        assert fingerprints(host.root) == before
    finally:
        subprocess.run(["umount", usr], check=True)


@pytest.mark.parametrize(
    ("option", "path", "files"),
    [
        ("+i", "etc", {"etc/a": "1", "etc/b": "1"}),
        ("+a", "etc", {"etc/a": "2"}),
        ("+i", "etc/a", {"etc/a": "2"}),
        ("+i", "etc/a", {}),
        ("+a", "etc/a", {}),
    ],
)
def test_b77_what_is_immutable_is_told(
    host: "Host", immutable: list[Path], option: str, path: str, files: dict[str, str]
) -> None:
    """A directory or a file, to be changed or to be removed; with what to do."""
    installed = host.go((), {"etc/a": "1"}).installed
    immutable.append(host.root / path)
    subprocess.run(["chattr", option, host.root / path], check=True)
    with pytest.raises(SystemFaultError, match=f"/{path} is (immutable|append-only)") as raised:
        check_writable(host.plan(installed, files))
    assert raised.value.hint == f"chattr {option.replace('+', '-')} /{path}, then try again"


def test_b77_a_foreign_file_may_be_immutable(host: "Host", immutable: list[Path]) -> None:
    """We leave it as it is anyway."""
    (host.root / "a").write_text("theirs")
    immutable.append(host.root / "a")
    subprocess.run(["chattr", "+i", host.root / "a"], check=True)
    check_writable(host.plan((), {"a": "ours", "b": "ours"}))
