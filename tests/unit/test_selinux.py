"""Labels of SELinux, given where a policy is; root can set them on a disk also where SELinux is off."""

import logging
import os
import stat
from pathlib import Path

import pytest
from policy import as_root, label_of, labels_like

from os_containers.selinux import (
    LABEL,
    NO_LABELS,
    give_label,
    host_labels,
    is_on,
    label_of_images,
    make_directory,
)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (
            'file = "a:b:container_file_t:s0"\nro_file = "system_u:object_r:container_ro_file_t:s0"\n',
            b"system_u:object_r:container_ro_file_t:s0",
        ),
        ('ro_file="system_u:object_r:container_ro_file_t:s0"', b"system_u:object_r:container_ro_file_t:s0"),
        ("ro_file = u:r:t:s0\n", b"u:r:t:s0"),
        ('file = "system_u:object_r:svirt_lxc_file_t:s0"\n#ro_file = "x"\n', None),
    ],
)
def test_the_policy_says_what_containers_read(tmp_path: Path, text: str, label: bytes | None) -> None:
    """With and without spaces and quotes, as distributions have it; an old policy says nothing."""
    (tmp_path / "lxc_contexts").write_text(text)
    assert label_of_images(tmp_path / "lxc_contexts") == label


def test_a_policy_without_containers_says_nothing_of_images(tmp_path: Path) -> None:
    """Then they get what their directory has."""
    assert label_of_images(tmp_path / "lxc_contexts") is None


@pytest.mark.skipif(is_on(), reason="SELinux is on here")
def test_where_selinux_is_off_nothing_is_asked() -> None:
    """No library is loaded, no policy read."""
    assert host_labels() is NO_LABELS


@as_root
def test_a_symlink_gets_the_label_itself(tmp_path: Path) -> None:
    """What it points to keeps its own."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    give_label(str(tmp_path / "link"), b"link_t")
    assert (label_of(tmp_path / "link"), label_of(tmp_path / "file")) == ("link_t", "")


@as_root
def test_what_has_its_label_is_not_changed(tmp_path: Path) -> None:
    """A domain that may not relabel is not stopped where there is nothing to do."""
    file = tmp_path / "file"
    file.touch()
    os.setxattr(file, LABEL, b"etc_t\0")
    before = file.stat().st_ctime_ns
    give_label(str(file), b"etc_t")
    assert file.stat().st_ctime_ns == before


def test_a_label_that_cannot_be_set_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is no failure of the change."""
    with caplog.at_level(logging.WARNING):
        give_label(str(tmp_path / "gone"), b"etc_t")
    assert caplog.messages == [f"warning: {tmp_path}/gone gets no SELinux label: No such file or directory"]


def test_a_file_system_without_labels_is_fine(caplog: pytest.LogCaptureFixture) -> None:
    """It has one label for all."""
    with caplog.at_level(logging.WARNING):
        give_label("/proc/self/status", b"etc_t")
    assert caplog.messages == []


@as_root
def test_each_new_directory_has_the_label_of_its_place(tmp_path: Path) -> None:
    """The outer one first: the policy may say nothing of an inner one, which then has what that has."""
    labels = labels_like({str(tmp_path / "a"): "a_t", str(tmp_path / "a/b"): "b_t"}, kind=stat.S_IFDIR)
    (tmp_path / "a").mkdir()
    make_directory(tmp_path / "a/b/c", labels, mode=0o700)
    assert [label_of(tmp_path / one) for one in ("a", "a/b", "a/b/c")] == ["", "b_t", ""]
    assert stat.S_IMODE((tmp_path / "a/b/c").stat().st_mode) == 0o700
