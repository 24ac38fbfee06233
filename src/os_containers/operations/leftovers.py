"""Temporary names beside the files of a container, which a killed command leaves."""

from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.deployment.host_tree import load_host_tree
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System


def find_temporaries(system: System, container: Container) -> list[Path]:
    """Return the temporary names of a container's files, wherever these are."""
    return [left for path in _written_files(system, container) for left in files.leftover_temporaries(path)]


def remove_temporaries(system: System, container: Container) -> None:
    """Remove the temporary names of a container; its lock is held, so nobody is writing them."""
    for temporary in find_temporaries(system, container):
        temporary.unlink(missing_ok=True)


def _written_files(system: System, container: Container) -> Iterator[Path]:
    unit_files = UnitFiles.find(system.paths, container.name)
    yield from (unit_files.unit, unit_files.drop_in, unit_files.tmpfiles)
    yield from (container.link, system.journals.path(container.name))
    for serial in container.serials():
        path = container.deployment_path(serial)
        yield path / "info"
        yield from (Path(file.path) for file in load_host_tree(path / "host"))
