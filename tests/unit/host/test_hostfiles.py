"""Files on the host: what is not ours stays, what was changed stays, what is ours comes and goes."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import load_host_tree
from os_containers.errors import ConflictError
from os_containers.events import Step, Warned
from os_containers.host.hostfiles import NEW_SUFFIX, Action, plan_host_files

if TYPE_CHECKING:
    from conftest import Host


def test_files_and_directories_come_and_go(host: "Host") -> None:
    """Nothing is left, and the directory that was there stays."""
    (host.root / "etc").mkdir()
    plan = host.go((), {"etc/app/app.conf": "a", "etc/app/link": "-> app.conf", "usr/bin/app": "x"})
    assert host.files() == {"etc/app/app.conf": "a", "etc/app/link": "-> app.conf", "usr/bin/app": "x"}
    host.go(plan.installed, {})
    assert [path.name for path in host.root.rglob("*")] == ["etc"]
    assert Step("file /usr/bin/app deleted") in host.events


def test_an_unchanged_file_goes_over_to_the_new_version(host: "Host") -> None:
    """A file that the new image lacks goes."""
    first = host.go((), {"a": "1", "b": "1"})
    second = host.go(first.installed, {"a": "2", "c": "2"})
    assert host.files() == {"a": "2", "c": "2"}
    host.go(second.installed, {"a": "1", "b": "1"})
    assert host.files() == {"a": "1", "b": "1"}


def test_b68_a_file_that_was_there_before_is_never_ours(host: "Host") -> None:
    """It is kept, told, and not removed later."""
    (host.root / "a").write_text("the host's")
    plan = host.go((), {"a": "ours"})
    assert any(isinstance(event, Warned) for event in host.events)
    host.go(plan.installed, {})
    assert host.files() == {"a": "the host's"}


def test_b68_not_even_with_the_same_content(host: "Host") -> None:
    """Who made it decides, not what is in it."""
    (host.root / "a").write_text("same")
    plan = host.go((), {"a": "same"})
    host.go(plan.installed, {})
    assert host.files() == {"a": "same"}


def test_b76_what_is_in_the_place_of_a_file_is_told_when_it_is_left_alone(host: "Host") -> None:
    """A directory, too, with what is in it."""
    plan = host.go((), {"a": "1", "b": "-> a"})
    for name in ("a", "b"):
        (host.root / name).unlink()
        (host.root / name).mkdir()
    (host.root / "a/data").touch()
    host.go(plan.installed, {})
    assert (host.root / "a/data").exists()
    assert (host.root / "b").is_dir()
    kept = [Step(f"kept /{name}: it was changed since it was installed") for name in ("b", "a")]
    assert [event for event in host.events if event in kept] == kept


def test_b76_an_edited_file_is_kept_and_the_new_version_put_beside_it(host: "Host") -> None:
    """Going back takes the version beside it away; uninstalling keeps the edit."""
    first = host.go((), {"a": "1"})
    (host.root / "a").write_text("edited")
    second = host.go(first.installed, {"a": "2"})
    assert host.files() == {"a": "edited", "a" + NEW_SUFFIX: "2"}
    back = host.go(second.installed, {"a": "1"})
    assert host.files() == {"a": "edited"}
    host.go(back.installed, {})
    assert host.files() == {"a": "edited"}
    assert Step("kept /a: it was changed since it was installed") in host.events


def test_b76_an_edit_without_a_new_version_makes_no_second_file(host: "Host") -> None:
    """The image's file is the same as before."""
    first = host.go((), {"a": "1"})
    (host.root / "a").write_text("edited")
    host.go(first.installed, {"a": "1"})
    assert host.files() == {"a": "edited"}


def test_b76_an_edit_that_took_over_the_new_version_is_ours_again(host: "Host") -> None:
    """Then an update replaces it as usual."""
    first = host.go((), {"a": "1"})
    (host.root / "a").write_text("2")
    second = host.go(first.installed, {"a": "2"})
    host.go(second.installed, {"a": "3"})
    assert host.files() == {"a": "3"}


def test_b76_a_file_replaced_by_a_symlink_is_not_followed(host: "Host") -> None:
    """What the link points to stays as it was."""
    first = host.go((), {"a": "1"})
    victim = host.root / "victim"
    victim.write_text("mine")
    (host.root / "a").unlink()
    (host.root / "a").symlink_to(victim)
    second = host.go(first.installed, {"a": "2"})
    host.go(second.installed, {})
    assert host.files() == {"a": f"-> {victim}", "victim": "mine"}


def test_b76_a_file_that_was_deleted_is_put_back(host: "Host") -> None:
    """As the predecessors do."""
    first = host.go((), {"a": "1"})
    (host.root / "a").unlink()
    host.go(first.installed, {"a": "1"})
    assert host.files() == {"a": "1"}


@pytest.mark.parametrize("there", ["symlink", "dangling", "directory", "fifo"])
def test_b69_what_is_no_file_is_a_conflict(host: "Host", there: str) -> None:
    """And nothing is followed or replaced."""
    path = host.root / "a"
    match there:
        case "symlink":
            path.symlink_to("/etc/passwd")
        case "dangling":
            path.symlink_to("nowhere")
        case "directory":
            path.mkdir()
        case _:
            os.mkfifo(path)
    with pytest.raises(ConflictError, match=r"/a (already exists, and )?is a "):
        host.go((), {"a": "ours"})


def test_b75_a_path_of_another_container_is_a_conflict(host: "Host") -> None:
    """Its name is told."""
    with pytest.raises(ConflictError, match="belongs to the container other"):
        host.go((), {"a": "1"}, owners={"/a": "other"})


def test_b78_a_directory_that_somebody_uses_is_kept(host: "Host") -> None:
    """Only empty directories go."""
    plan = host.go((), {"d/a": "1"})
    (host.root / "d/theirs").write_text("x")
    host.go(plan.installed, {})
    assert host.files() == {"d/theirs": "x"}


def test_i8_a_file_that_is_changed_after_the_plan_is_not_replaced(host: "Host") -> None:
    """A daemon may save its configuration when it is stopped."""
    first = host.go((), {"a": "1", "gone": "1"})
    plan = host.plan(first.installed, {"a": "2"})
    (host.root / "a").write_text("saved at the last moment")
    (host.root / "gone").write_text("this too")
    host.apply(plan)
    assert host.files() == {"a": "saved at the last moment", "gone": "this too"}
    assert Step("kept /a: it was changed since it was installed") in host.events


def test_either_of_two_versions_is_ours(host: "Host") -> None:
    """A change that was broken off left some files in the old version and some in the new one."""
    first = host.go((), {"a": "1", "b": "1", "old": "1"})
    second = host.go(first.installed, {"a": "2", "b": "2", "new": "2"})
    (host.root / "b").write_text("1")
    host.go((*first.installed, *second.installed), {"a": "1", "b": "1", "old": "1"})
    assert host.files() == {"a": "1", "b": "1", "old": "1"}


def test_a_new_mode_arrives_unless_the_admin_chose_one(host: "Host") -> None:
    """The content is the same; where it is new, the admin's mode stays as well."""
    first = host.go((), {"a": "1", "b": "1", "c": "1"})
    (host.root / "b").chmod(0o600)
    (host.root / "c").chmod(0o600)
    tree = host.tree({"a": "1", "b": "1", "c": "2"})
    for name in ("a", "b", "c"):
        (tree / name).chmod(0o755)
    host.apply(plan_host_files(first.installed, load_host_tree(tree), owners={}, root=host.host_root))
    modes = [(host.root / name).stat().st_mode & 0o777 for name in ("a", "b", "c")]
    assert modes == [0o755, 0o600, 0o600]
    assert host.files() == {"a": "1", "b": "1", "c": "2"}


def test_no_temporary_file_is_left(host: "Host") -> None:
    """A copy that fails leaves nothing behind."""
    plan = host.go((), {"a": "1"})
    broken = plan_host_files(
        plan.installed,
        [
            type(change.file)(change.file.path, FileKind.FILE, 0o644, "0" * 64, Path("/missing"))
            for change in plan.changes
            if change.file and change.path.endswith("/a")
        ],
        owners={},
        root=host.host_root,
    )
    assert any(change.action is Action.REPLACE for change in broken.changes)
    with pytest.raises(FileNotFoundError):
        host.apply(broken)
    assert host.files() == {"a": "1"}


def test_the_checksum_is_the_sha256_of_the_bytes(host: "Host") -> None:
    """So that a person can compare it with sha256sum."""
    plan = host.go((), {"a": "content"})
    checksum = next(file.checksum for file in plan.installed if file.path.endswith("/a"))
    assert checksum == hashlib.sha256(b"content").hexdigest()
