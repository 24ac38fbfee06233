"""Unit, drop-in and tmpfiles.d fragment: put in place and taken away."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeServices
from policy import as_root, label_of, labels_like
from scarcity import small_disk

from os_containers.events import ignore
from os_containers.host.unit_files import UnitFiles
from os_containers.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(uid=1000, environment={"HOME": str(tmp_path)})


def all_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_install_and_remove_are_each_others_undo(paths: Paths, tmp_path: Path) -> None:
    """And systemd is told each time."""
    services = FakeServices(paths.units)
    unit_files = UnitFiles.find(paths, "etcd")
    unit_files.install(unit_text=b"[Service]", tmpfiles_text=b"d /x", services=services, on_event=ignore)
    assert all_files(tmp_path) == [
        ".config/systemd/user/etcd.service",
        ".config/systemd/user/etcd.service.d/10-os-containers.conf",
        ".config/user-tmpfiles.d/etcd.conf",
    ]
    unit_files.remove(services=services, on_event=ignore)
    assert all_files(tmp_path) == []
    assert services.calls == ["create etcd.conf", "reload", "remove etcd.conf", "reload"]


def test_a_new_deployment_without_tmpfiles_takes_the_fragment_away(paths: Paths) -> None:
    """The unit is replaced as a whole."""
    services = FakeServices(paths.units)
    unit_files = UnitFiles.find(paths, "etcd")
    unit_files.install(unit_text=b"a long text", tmpfiles_text=b"d /x", services=services, on_event=ignore)
    unit_files.install(unit_text=b"short", tmpfiles_text=b"", services=services, on_event=ignore)
    assert unit_files.unit.read_text() == "short"
    assert not unit_files.tmpfiles.exists()


def test_the_admins_own_drop_ins_stay(paths: Paths, tmp_path: Path) -> None:
    """They wait for the container to come back, and are told."""
    told: list[str] = []
    services = FakeServices(paths.units)
    unit_files = UnitFiles.find(paths, "etcd")
    unit_files.install(unit_text=b"[Service]", tmpfiles_text=b"", services=services, on_event=ignore)
    (unit_files.drop_in.parent / "50-mine.conf").write_text("[Service]\nMemoryMax=1G\n")
    unit_files.remove(services=services, on_event=lambda event: told.append(str(event)))
    assert any("kept " in one and "etcd.service.d: it has drop-ins of your own" in one for one in told)
    assert all_files(tmp_path) == [".config/systemd/user/etcd.service.d/50-mine.conf"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_b80_what_is_there_already_needs_no_space(paths: Paths, tmp_path: Path) -> None:
    """A full disk keeps nobody from going back to units that have not been replaced yet."""
    services = FakeServices(paths.units)
    with small_disk(tmp_path) as disk:
        unit_files = UnitFiles.find(paths, "etcd")
        for text in (b"[Service]", b"[Unit]"):
            unit_files.install(unit_text=text, tmpfiles_text=b"d /x", services=services, on_event=ignore)
        with disk.space_left(0):
            unit_files.install(unit_text=b"[Unit]", tmpfiles_text=b"d /x", services=services, on_event=ignore)
            with pytest.raises(OSError, match="No space left"):
                unit_files.install(
                    unit_text=b"[Other]", tmpfiles_text=b"d /x", services=services, on_event=ignore
                )
        assert unit_files.unit.read_bytes() == b"[Unit]"


def test_what_somebody_made_of_a_unit_is_replaced(paths: Paths) -> None:
    """A link to the same text, or a file with another mode, is not what we put there."""
    services = FakeServices(paths.units)
    unit_files = UnitFiles.find(paths, "etcd")
    for change in (lambda: unit_files.unit.chmod(0o600), lambda: link_elsewhere(unit_files.unit)):
        unit_files.install(unit_text=b"[Unit]", tmpfiles_text=b"", services=services, on_event=ignore)
        change()
        unit_files.install(unit_text=b"[Unit]", tmpfiles_text=b"", services=services, on_event=ignore)
        status = unit_files.unit.lstat()
        assert (stat.S_ISREG(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o644)


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_suffix(".mine"))
    path.symlink_to(path.with_suffix(".mine"))


@as_root
def test_units_have_the_labels_of_their_places(paths: Paths) -> None:
    """So has the directory for drop-ins, and what replaces a unit."""
    found = UnitFiles.find(paths, "etcd")
    places = {
        found.unit: "unit_t",
        found.drop_in.parent: "drop_ins_t",
        found.drop_in: "drop_in_t",
        found.tmpfiles: "tmpfiles_t",
    }
    unit_files = replace(found, labels=labels_like({str(path): label for path, label in places.items()}))
    services = FakeServices(paths.units)
    for text in (b"[Service]", b"[Unit]"):
        unit_files.install(unit_text=text, tmpfiles_text=b"d /x", services=services, on_event=ignore)
        assert {path: label_of(path) for path in places} == places
