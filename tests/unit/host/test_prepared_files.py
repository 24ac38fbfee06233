"""Host files put in place: before, meanwhile and afterwards nothing but ours changes."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fingerprints import fingerprints
from policy import label_of, labels_like

from os_containers.deployment.host_tree import load_host_tree
from os_containers.deployment.record import InstalledFile
from os_containers.errors import BrokenError, ConflictError, SystemFaultError
from os_containers.events import Event, ignore
from os_containers.files import TEMPORARY_PREFIX
from os_containers.host.hostfiles import HostPlan, plan_host_files
from os_containers.host.prepared_files import apply_host_files, prepare_host_files
from os_containers.host.renames import exchange_names
from os_containers.host.temporaries import remove_temporaries

if TYPE_CHECKING:
    from conftest import Host

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and give files away")


def temporaries(host: "Host") -> list[str]:
    return [path.name for path in host.root.rglob(f"{TEMPORARY_PREFIX}*")]


def test_what_is_prepared_is_beside_its_place_and_goes_when_it_is_not_used(host: "Host") -> None:
    """The host's own files do not change; a directory that is to come does not come before."""
    (host.root / "etc").mkdir()
    plan = host.plan((), {"etc/app/a": "1", "etc/b": "2"})
    with prepare_host_files(plan, "app"):
        waiting = [path for path in host.root.rglob("*") if path.is_file()]
        assert {path.parent for path in waiting} == {host.root / "etc"}
        assert all(path.name.startswith(".os-containers-app@") for path in waiting)
        assert sorted(path.read_text() for path in waiting) == ["1", "2"]
    assert [path.name for path in host.root.rglob("*")] == ["etc"]


def test_b80_the_way_back_takes_a_directory_in_which_nothing_could_be_written(host: "Host") -> None:
    """What was begun in it is still there when the way back is planned."""
    plan = host.plan((), {"app/file": "whole"})
    with prepare_host_files(HostPlan((), host.host_root), "app") as prepared:
        (host.trees / "0/app/file").write_text("another")
        with pytest.raises(BrokenError):
            apply_host_files(plan, prepared, ignore)
        apply_host_files(host.plan(plan.installed, {}), prepared, ignore)
    assert list(host.root.iterdir()) == []


def test_a_newer_plan_writes_what_was_not_prepared(host: "Host") -> None:
    """A daemon has saved its configuration since."""
    first = host.go((), {"a": "1", "b": "1"})
    files = {"a": "2", "b": "2"}
    with prepare_host_files(host.plan(first.installed, files), "app") as prepared:
        (host.root / "a").write_text("saved")
        apply_host_files(host.plan(first.installed, files), prepared, ignore)
    assert host.files() == {"a": "saved", "a.os-containers-new": "2", "b": "2"}


def test_b70_cve_2018_15664_a_parent_that_is_swapped_while_we_copy(host: "Host") -> None:
    """Whoever wins, nothing reaches what the link points to (also CVE-2019-10152, CVE-2019-18466)."""
    victim, parent = host.root / "victim", host.root / "srv/dir"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    parent.mkdir(parents=True)
    parent.parent.chmod(0o777)  # whoever may write here swaps
    before = fingerprints(victim)
    with swapping(parent, "/victim"):
        for number in range(2000):
            with contextlib.suppress(ConflictError, FileNotFoundError):
                host.go((), {f"srv/dir/{number}": "ours"})
            if number >= 100 and copied(host):
                break
    assert fingerprints(victim) == before
    assert copied(host)


def copied(host: "Host") -> bool:
    return any(text.startswith("copied") for text in host.told())


@contextlib.contextmanager
def swapping(directory: Path, target: str) -> Iterator[None]:
    """Swap a directory for a symlink and back, all the time."""
    done = threading.Event()
    directory.with_name("link").symlink_to(target)
    parent_fd = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)

    def swap() -> None:
        while not done.is_set():
            exchange_names(directory.name, "link", parent_fd)
            done.wait(0.0005)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        os.close(parent_fd)


def test_b70_a_parent_that_becomes_a_link_after_the_plan_is_a_conflict(host: "Host") -> None:
    """Nothing reaches what the link points to."""
    (host.root / "etc").mkdir()
    (host.root / "victim").mkdir()
    plan = host.plan((), {"etc/a": "1"})
    (host.root / "etc").rmdir()
    (host.root / "etc").symlink_to("victim")
    with pytest.raises(ConflictError, match="/etc has become a symlink"):
        host.apply(plan)
    assert list((host.root / "victim").iterdir()) == []


def test_b70_the_real_path_is_what_is_recorded(host: "Host") -> None:
    """So that two names of one file are one file."""
    (host.root / "usr/lib").mkdir(parents=True)
    (host.root / "lib").symlink_to("usr/lib")
    plan = host.go((), {"lib/app/a": "1"})
    assert [file.path for file in plan.installed] == ["/usr/lib/app", "/usr/lib/app/a"]
    with pytest.raises(ConflictError, match="belongs to the container app"):
        host.plan((), {"lib/app/a": "1"}, owners={"/usr/lib/app/a": "app"})
    with pytest.raises(ConflictError, match="two host files of the image are the same"):
        host.plan((), {"lib/app/a": "1", "usr/lib/app/a": "2"})
    host.go(plan.installed, {})
    assert host.files() == {"lib": "-> usr/lib"}


def test_b70_what_an_admin_has_moved_behind_a_link_of_theirs_is_still_ours(host: "Host") -> None:
    """A configuration on another disk, for example."""
    first = host.go((), {"etc/app/a": "1"})
    (host.root / "srv").mkdir()
    (host.root / "etc/app").rename(host.root / "srv/app")
    (host.root / "etc/app").symlink_to("/srv/app")
    second = host.go(first.installed, {"etc/app/a": "2"})
    assert host.files() == {"etc/app": "-> /srv/app", "srv/app/a": "2"}
    host.go(second.installed, {})
    assert host.files() == {"etc/app": "-> /srv/app"}


def test_b72_a_symlink_is_copied_and_shown_and_not_followed(host: "Host") -> None:
    """Its text is what is recorded and compared; what it points to is not our affair."""
    (host.root / "victim").write_text("mine")
    before = fingerprints(host.root / "victim")
    plan = host.go((), {"a": "-> victim"})
    assert "copied /a -> victim" in host.told()
    again = host.go(plan.installed, {"a": "-> elsewhere"})
    assert host.files() == {"a": "-> elsewhere", "victim": "mine"}
    host.go(again.installed, {})
    assert host.files() == {"victim": "mine"}
    assert fingerprints(host.root / "victim") == before


def test_b76_what_is_behind_a_link_of_somebody_is_let_go(host: "Host") -> None:
    """The directory of our files became a link into a place where anybody writes."""
    first = host.go((), {"open/app/a": "1"})
    (host.root / "open").chmod(0o777)
    (host.root / "victim").mkdir()
    (host.root / "victim/a").write_text("1")
    (host.root / "open/app").rename(host.root / "aside")
    (host.root / "open/app").symlink_to("/victim")
    before = fingerprints(host.root / "victim")
    host.go(first.installed, {})
    assert "kept /open/app/a: it was changed since it was installed" in host.told()
    assert fingerprints(host.root / "victim") == before


def test_b78_directories_are_roots_and_nobody_elses_to_write_to(host: "Host") -> None:
    """Whatever the image says; what it keeps from others stays so."""
    tree = host.tree({"etc/app/open/a": "1", "etc/app/closed/b": "2"})
    (tree / "etc/app/open").chmod(0o777)
    (tree / "etc/app/closed").chmod(0o700)
    (tree / "etc/app/open/a").chmod(0o666)
    host.apply(plan_of(host, tree))
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in (host.root / "etc/app").rglob("*")}
    assert modes == {"open": "0o755", "closed": "0o700", "a": "0o644", "b": "0o644"}


def plan_of(host: "Host", tree: Path, leaving: tuple[InstalledFile, ...] = ()) -> HostPlan:
    return plan_host_files(leaving, load_host_tree(tree), owners={}, root=host.host_root)


def test_b78_a_directory_of_two_containers_goes_with_the_second(host: "Host") -> None:
    """In whatever order they go."""
    first = host.go((), {"etc/app/a": "1"})
    directories = {"/etc", "/etc/app"}
    second = host.plan((), {"etc/app/b": "2"}, shared=directories)
    host.apply(second)
    assert [file.path for file in second.installed] == ["/etc", "/etc/app", "/etc/app/b"]
    host.apply(host.plan(first.installed, {}, shared=directories))
    assert host.files() == {"etc/app/b": "2"}
    host.apply(host.plan(second.installed, {}))
    assert list(host.root.iterdir()) == []


@as_root
def test_i7_foreign_files_keep_everything(host: "Host") -> None:
    """Bytes, mode, owner, xattrs, inode; beside ours, in our way, and under an edit."""
    host.go((), {"etc/x": "theirs", "etc/beside": "theirs", "usr/bin/tool": "theirs"})
    for number, path in enumerate(path for path in host.root.rglob("*") if path.is_file()):
        os.chown(path, 1000 + number, 1000)
        path.chmod(0o640)
        os.setxattr(path, "user.test", b"x")
    before = fingerprints(host.root)
    host.events.clear()
    first = host.go((), {"etc/x": "ours", "etc/app.conf": "1", "usr/bin/tool": "ours"})
    second = host.go(first.installed, {"etc/x": "ours 2", "etc/app.conf": "2", "usr/bin/tool": "ours 2"})
    assert {path: one for path, one in fingerprints(host.root).items() if path in before} == before
    host.go(second.installed, {})
    assert fingerprints(host.root) == before


def test_i8_an_edit_between_the_look_and_the_exchange_is_swapped_back(host: "Host") -> None:
    """The admin writes all the time; what they wrote last is what is there."""
    leaving = host.go((), {"a": "1"}).installed
    written = threading.Event()
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            temporary = host.root / "edit"
            temporary.write_text(f"edit {number}")
            temporary.rename(host.root / "a")
            written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        written.wait()
        for number in range(100):
            plan = host.plan(leaving, {"a": f"version {number}"})
            host.apply(plan)
    finally:
        done.set()
        thread.join()
    assert (host.root / "a").read_text().startswith("edit ")
    assert temporaries(host) == []


@pytest.mark.parametrize("kind", ["pipe", "directory", "nothing"])
def test_i8_what_becomes_of_a_file_of_ours_after_the_plan(host: "Host", kind: str) -> None:
    """A pipe and a directory stay; one that went comes back."""
    leaving = host.go((), {"a": "1", "b": "1"}).installed
    plan = host.plan(leaving, {"a": "2"})
    for name in ("a", "b"):
        (host.root / name).unlink()
        if kind == "pipe":
            os.mkfifo(host.root / name)
        elif kind == "directory":
            (host.root / name / "inner").mkdir(parents=True)
    host.apply(plan)
    assert host.files() == ({"a": "2"} if kind == "nothing" else {})
    assert temporaries(host) == []
    assert (host.root / "b").exists() == (kind != "nothing")


def test_a_file_that_comes_where_nothing_was_is_a_conflict(host: "Host") -> None:
    """It is not replaced, and nothing of ours waits any more."""
    plan = host.plan((), {"a": "ours"})
    (host.root / "a").write_text("theirs")
    with pytest.raises(ConflictError, match="/a was created by another program"):
        host.apply(plan)
    assert host.files() == {"a": "theirs"}


def test_cve_2020_25860_what_was_rendered_is_what_is_installed(host: "Host") -> None:
    """Content that changed after it was looked at does not get to the host."""
    tree = host.tree({"a": "1"})
    plan = plan_of(host, tree)
    (tree / "a").write_text("2")
    with pytest.raises(BrokenError, match="does not match its checksum"):
        host.apply(plan)
    assert host.files() == {}


@as_root
def test_b80_a_full_disk_shows_before_anything_has_changed(host: "Host") -> None:
    """The message says how much is needed, and how much is there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", host.root], check=True)
    try:
        first = host.go((), {"a": "1"})
        plan = host.plan(first.installed, {"a": "2", "etc/big": "x" * 100_000})
        with pytest.raises(SystemFaultError, match=r"no room for /etc/big: 100000 bytes needed, \d+ free"):
            host.apply(plan)
        assert host.files() == {"a": "1"}
    finally:
        subprocess.run(["umount", host.root], check=True)


OLD = {"both": "1", "old/a": "1", "old/link": "-> a", "edited": "1", "kind": "-> x"}
NEW = {"both": "2", "new/deep/a": "2", "new/link": "-> deep", "edited": "2", "kind": "file"}


@pytest.mark.parametrize("moment", range(12))
@pytest.mark.parametrize("way", ["forward", "back"])
def test_b84_a_change_that_was_killed_is_ended_by_another(host: "Host", moment: int, way: str) -> None:
    """With both versions as ours; what waits is removed, and the edit of the admin stays."""
    first = host.go((), OLD)
    (host.root / "edited").write_text("mine")
    before = host.files()
    plan = host.plan(first.installed, NEW)
    kill_at(plan, moment)
    entering = load_host_tree(host.tree(NEW))
    assert remove_temporaries("app", (*first.installed, *entering), root=host.host_root) == []
    assert temporaries(host) == []
    both = (*first.installed, *plan.installed)
    if way == "forward":
        host.go(both, NEW)
        expected = {"both": "2", "edited": "mine", "edited.os-containers-new": "2", "kind": "file"}
        assert host.files() == expected | {"new/deep/a": "2", "new/link": "-> deep"}
    else:
        host.go(both, OLD)
        assert host.files() == before


def kill_at(plan: HostPlan, moment: int) -> None:
    """Carry out a plan in a process that is killed: at an event, or with all versions waiting."""
    child = os.fork()
    if child == 0:
        left = moment

        def on_event(_: Event) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

        with prepare_host_files(plan, "app") as prepared:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            apply_host_files(plan, prepared, on_event)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@as_root
def test_what_is_put_in_place_has_the_label_of_its_place(host: "Host") -> None:
    """Not of the name that it is written under: files, links, directories, later versions, the way back."""
    host.labels = labels_like({
        "/opt": "usr_t",
        "/opt/bin": "bin_t",
        "/opt/bin/tool": "tool_t",
        "/opt/link": "link_t",
        "/opt/mine": "mine_t",
        "/opt/mine.os-containers-new": "new_t",
    })  # fmt: skip
    first = host.go((), {"opt/bin/tool": "1", "opt/link": "-> bin/tool", "opt/mine": "1"})
    places = ("opt", "opt/bin", "opt/bin/tool", "opt/link", "opt/mine")
    labels = ["usr_t", "bin_t", "tool_t", "link_t", "mine_t"]
    assert [label_of(host.root / one) for one in places] == labels
    (host.root / "opt/mine").write_text("edited")
    second = host.go(first.installed, {"opt/bin/tool": "2", "opt/link": "-> bin", "opt/mine": "2"})
    new = "opt/mine.os-containers-new"
    assert [label_of(host.root / one) for one in (*places, new)] == [*labels, "new_t"]
    host.go(second.installed, {"opt/bin/tool": "1", "opt/link": "-> bin/tool", "opt/mine": "1"})
    assert [label_of(host.root / one) for one in places] == labels
