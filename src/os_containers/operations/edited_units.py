"""A unit of ours that somebody has edited is kept beside its place when another comes, or none.

/etc/systemd/system/NAME.service.os-containers-old    beside the one that came in its place
"""

from pathlib import Path

from os_containers import files
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.soundness import lacks_unit
from os_containers.events import Warned
from os_containers.host import unit
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System

_SUFFIX = ".os-containers-old"


def unit_texts(system: System, deployment: Deployment) -> dict[Path, set[str]]:
    """Return for each file that systemd reads which texts it may have, while a deployment is active."""
    unit_files = UnitFiles.find(system.paths, deployment.container)
    expected = {
        unit_files.unit: {deployment.unit_text()},
        # an older systemd may have been there when it was written
        unit_files.drop_in: {unit.render_drop_in(systemd_version=one) for one in unit.DROP_IN_VERSIONS},
        unit_files.tmpfiles: {deployment.tmpfiles_text()},
    }
    if deployment.is_predecessors:
        # it put the first nowhere, the second under another name or nowhere
        expected[unit_files.drop_in].add("")
        expected[unit_files.tmpfiles].add("")
    return expected


def keep_edited_units(system: System, leaving: Deployment | None) -> None:
    """Keep an edited one beside its place, and say so: it is about to be replaced."""
    for path in _edited_units(system, leaving):
        kept = files.free_name(path, _SUFFIX)
        files.write_atomic(kept, path.read_bytes(), mode=path.stat().st_mode & 0o777)
        _tell_edited(system, path, kept)


def tell_edited_units(system: System, leaving: Deployment | None, told: System) -> None:
    """Say the same, and keep nothing."""
    for path in _edited_units(system, leaving):
        _tell_edited(told, path, files.free_name(path, _SUFFIX))


def _edited_units(system: System, leaving: Deployment | None) -> list[Path]:
    if not leaving or not leaving.record.has_service or leaving.is_factory or lacks_unit(leaving):
        return []
    expected, unit_files = unit_texts(system, leaving), UnitFiles.find(system.paths, leaving.container)
    # the drop-in says in its first line whose it is
    plain = [one for one in (unit_files.unit, unit_files.tmpfiles) if one.is_file() and not one.is_symlink()]
    return [path for path in plain if path.read_text(errors="surrogateescape") not in expected[path]]


def _tell_edited(system: System, path: Path, kept: Path) -> None:
    way = f"systemctl edit {path.name} makes a change that stays"
    system.on_event(Warned(f"{path} was edited, which is now {kept.name}: {way}"))
