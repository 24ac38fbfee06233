"""os-containers-recover.service: ours where no package brings it, and the admin's to disable."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeServices
from policy import as_root, label_of, labels_like

from os_containers.errors import ProcessError
from os_containers.host.recovery_unit import RecoveryUnit, render_recovery_unit
from os_containers.host.unit import RECOVERY_UNIT
from os_containers.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(uid=1000, environment={"HOME": str(tmp_path)})


def install(paths: Paths) -> FakeServices:
    services = FakeServices(paths.units)
    RecoveryUnit.find(paths).install(paths, {"HOME": str(paths.units.parents[2])}, services)
    return services


def test_it_is_put_in_place_enabled_and_told_once(paths: Paths) -> None:
    """Enabled by the link that its [Install] section asks for; the second time there is nothing to do."""
    assert install(paths).calls == ["reload"]
    unit = paths.units / RECOVERY_UNIT
    assert (paths.units / "default.target.wants" / RECOVERY_UNIT).readlink() == unit
    assert "WantedBy=default.target" in unit.read_text()
    assert install(paths).calls == []


def test_b83_what_cannot_be_put_in_place_leaves_nothing(paths: Paths) -> None:
    """Otherwise an install that failed would leave a unit without any container."""
    services = FakeServices(paths.units, failing={"reload"})
    with pytest.raises(ProcessError):
        RecoveryUnit.find(paths).install(paths, {}, services)
    assert list(paths.units.iterdir()) == []


@pytest.fixture
def packaged(paths: Paths) -> Path:
    unit = FakeServices(paths.units).unit_paths()[1] / RECOVERY_UNIT
    unit.parent.mkdir(parents=True)
    unit.touch()
    return unit


@pytest.mark.usefixtures("packaged")
def test_one_of_a_package_is_enough(paths: Paths) -> None:
    """Nothing is put before it."""
    assert install(paths).calls == []
    assert not paths.units.exists()


def test_the_link_of_a_package_is_not_ours_to_take(paths: Paths, packaged: Path) -> None:
    """Where a package's unit does not look, ours is put before it: the link enables either, and stays."""
    unit = RecoveryUnit.find(paths)
    unit.link.parent.mkdir(parents=True)
    unit.link.symlink_to(packaged)
    services = FakeServices(paths.units)
    unit.install(paths, {"OSTREE_REPO": "/srv/repo"}, services)
    assert (unit.path.exists(), unit.link.readlink()) == (True, packaged)
    unit.remove(services)
    assert (unit.path.exists(), unit.link.readlink()) == (False, packaged)


def test_ours_gives_way_to_one_of_a_package(paths: Paths) -> None:
    """When another installation of the program has put it there; a package enables it for all users."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    unit.path.write_text("of a program that is gone")
    packaged = FakeServices(paths.units).unit_paths()[1] / RECOVERY_UNIT
    packaged.parent.mkdir()
    packaged.touch()
    assert install(paths).calls == ["reload"]
    assert list(paths.units.iterdir()) == []


@pytest.mark.usefixtures("packaged")
def test_ours_is_put_before_one_of_a_package_that_looks_elsewhere(tmp_path: Path) -> None:
    """It knows nothing of the variables with which somebody has moved the state."""
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    paths = Paths.find(uid=1000, environment=environment)
    RecoveryUnit.find(paths).install(paths, environment, FakeServices(paths.units))
    assert f"XDG_DATA_HOME={tmp_path}/data" in (paths.units / RECOVERY_UNIT).read_text()


@pytest.mark.parametrize(("uid", "directory"), [(0, "system"), (1000, "user")])
def test_what_packages_bring_is_what_we_would_write(uid: int, directory: str) -> None:
    """But that it stays when there is no container any more."""
    paths = Paths.find(uid=uid, environment={"HOME": "/HOME"})
    ours = render_recovery_unit(Path("/usr/bin/os-containers"), paths, {}).replace("/HOME", "%h")
    brought = Path("packaging/systemd", directory, RECOVERY_UNIT).read_text()
    kept = [line for line in ours.splitlines() if not line.startswith("ConditionPathExistsGlob=|!")]
    assert brought.splitlines() == kept


def test_an_admin_who_disables_it_finds_it_disabled(paths: Paths) -> None:
    """Even after an update of os-containers has changed its text."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    unit.link.unlink()
    unit.path.write_text("an older text")
    assert install(paths).calls == ["reload"]
    assert "recover --no-block" in unit.path.read_text()
    assert not unit.link.is_symlink()


def test_an_admin_who_masks_it_finds_it_masked(paths: Paths) -> None:
    """Also when the last container has gone."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    unit.path.unlink()
    unit.path.symlink_to("/dev/null")
    assert install(paths).calls == []
    unit.remove(FakeServices(paths.units))
    assert unit.path.readlink() == Path("/dev/null")
    assert not unit.link.is_symlink()


def test_b84_a_removal_that_was_cut_short_does_not_read_as_disabled(paths: Paths) -> None:
    """Whatever is left of it is enabled again with the next container."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    for gone in range(1, len(unit.present()) + 1):
        for path in unit.present()[:gone]:
            path.unlink()
        install(paths)
        assert unit.present() == [unit.path, unit.link]


def test_nothing_is_left_of_it(paths: Paths) -> None:
    """Nor of an install that was killed when there was only the link."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    unit.path.unlink()
    services = FakeServices(paths.units)
    unit.remove(services)
    unit.remove(services)
    assert services.calls == ["reload"]
    assert list(paths.units.iterdir()) == []


def test_one_that_was_disabled_goes_too(paths: Paths) -> None:
    """Also when the directory of its link went with the link."""
    install(paths)
    unit = RecoveryUnit.find(paths)
    unit.link.unlink()
    unit.link.parent.rmdir()
    unit.remove(FakeServices(paths.units))
    assert list(paths.units.iterdir()) == []


@as_root
def test_it_has_the_label_of_its_place(paths: Paths) -> None:
    """Also when it is replaced."""
    found = RecoveryUnit.find(paths)
    unit = replace(found, labels=labels_like({str(found.path): "unit_t", str(found.link.parent): "wants_t"}))
    for environment in ({}, {"OSTREE_REPO": "/srv/repo"}):
        unit.install(paths, environment, FakeServices(paths.units))
        assert (label_of(found.path), label_of(found.link.parent)) == ("unit_t", "wants_t")
