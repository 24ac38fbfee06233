"""What a killed command leaves: names that only a journal or deployments tell of, and temporary names."""

from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container, all_containers
from os_containers.deployment.host_tree import load_host_tree
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System


def known_names(system: System) -> list[str]:
    """Return the names of the containers, and of what was to become one or is one no longer."""
    deployments = system.paths.deployments
    names = {one.name for one in deployments.iterdir()} if deployments.is_dir() else set()
    return sorted({*names, *system.journals.names(), *(one.name for one in all_containers(system.paths))})


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
