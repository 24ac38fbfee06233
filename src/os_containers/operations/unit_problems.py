"""What is wrong with the files of a container that systemd reads: they are not those of what is active."""

from collections.abc import Iterator
from pathlib import Path

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.soundness import lacks_unit
from os_containers.host import unit
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.problem import MOVE_AWAY, REPAIR, Problem
from os_containers.operations.system import System


def unit_file_problems(system: System, deployment: Deployment) -> Iterator[Problem]:
    """Yield the unit files on the host that are not those of the active deployment."""
    if not deployment.record.has_service or lacks_unit(deployment) or deployment.is_factory:
        return
    unit_files = UnitFiles.find(system.paths, deployment.container)
    if unit_files.is_masked:
        system.tell(f"{unit_files.unit.name} is masked: it stays masked, and nothing starts it")
        return
    in_the_way = unit_files.in_the_way()
    for path in in_the_way:
        yield Problem("I2", "this is in the way of a file of os-containers", str(path), MOVE_AWAY)
    for path, texts in _unit_texts(unit_files, deployment).items():
        if in_the_way and (path in in_the_way or path.parent in in_the_way):
            continue
        found = path.read_text(errors="surrogateescape") if path.exists() else ""
        if found not in texts:
            what = (
                "this file of os-containers was changed"
                if path.exists()
                else "this file of os-containers is missing"
            )
            yield Problem("I2", what, str(path), REPAIR)


def _unit_texts(unit_files: UnitFiles, deployment: Deployment) -> dict[Path, set[str]]:
    """Return which texts the files may have that systemd reads, while a deployment is active."""
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
