"""What a person did to our host files is told apart: theirs, gone, or in the way."""

import os
from typing import TYPE_CHECKING

from os_containers.deployment.exports import FileKind
from os_containers.deployment.record import InstalledFile
from os_containers.host.drift import Drift, drifted_files

if TYPE_CHECKING:
    from conftest import Host


def test_b76_each_kind_of_drift_is_told(host: "Host") -> None:
    """What is as it was put there is none."""
    names = ("as-it-was", "edited", "gone", "link", "now-a-directory", "now-a-pipe", "d/below-a-link")
    plan = host.go((), {name: "-> x" if name == "link" else "1" for name in names})
    assert list(drifted_files(plan.installed, root=host.host_root)) == []
    (host.root / "as-it-was").chmod(0o600)
    (host.root / "edited").write_text("2")
    for name in ("gone", "link", "now-a-directory", "now-a-pipe", "d/below-a-link"):
        (host.root / name).unlink()
    (host.root / "link").symlink_to("y")
    (host.root / "now-a-directory").mkdir()
    os.mkfifo(host.root / "now-a-pipe")
    (host.root / "d").rmdir()
    (host.root / "d").symlink_to("/tmp")
    found = dict(drifted_files(plan.installed, root=host.host_root))
    assert found == {
        "/edited": Drift.CHANGED,
        "/gone": Drift.MISSING,
        "/link": Drift.CHANGED,
        "/now-a-directory": Drift.IN_THE_WAY,
        "/now-a-pipe": Drift.IN_THE_WAY,
        "/d": Drift.CHANGED,
        "/d/below-a-link": Drift.MISSING,
    }


def test_b76_a_new_version_that_was_merged_is_not_missed(host: "Host") -> None:
    """Whoever has it in the own file removes it."""
    first = host.go((), {"a": "1"})
    (host.root / "a").write_text("edited")
    second = host.go(first.installed, {"a": "2"})
    (host.root / "a.os-containers-new").unlink()
    assert list(drifted_files(second.installed, root=host.host_root)) == [("/a", Drift.CHANGED)]


def test_b83_a_file_that_the_disk_does_not_give_back_is_told(host: "Host") -> None:
    """One that cannot be read keeps nobody from looking at the others. (What is at address 0 never can.)"""
    unreadable = InstalledFile("/proc/self/mem", FileKind.FILE, "0" * 64, 0o600, 0, 0)
    gone = InstalledFile(str(host.root / "gone"), FileKind.FILE, "0" * 64, 0o600, 0, 0)
    found = list(drifted_files([unreadable, gone]))
    assert found == [(unreadable.path, Drift.UNREADABLE), (gone.path, Drift.MISSING)]
