"""What a killed command leaves: names that only a journal or deployments tell of, and temporary names."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from os_containers import files, scratch
from os_containers.deployment.container import Container, all_containers
from os_containers.deployment.host_tree import HostFile, load_host_tree
from os_containers.deployment.record import InstalledFile
from os_containers.events import Warned
from os_containers.host import temporaries
from os_containers.host.hostfiles import NEW_SUFFIX
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.image_checkouts import remove_abandoned_checkouts
from os_containers.operations.lone_commands import let_go
from os_containers.operations.system import System


def remove_abandoned(system: System) -> None:
    """Remove what killed commands were at work on, whatever it was for; what runs all the same stays."""
    scratch.remove_abandoned(system.paths.staging, let_go=let_go)
    scratch.remove_abandoned(system.paths.trash)
    remove_abandoned_checkouts(system)


def known_names(system: System) -> list[str]:
    """Return the names of the containers, and of what was to become one or is one no longer."""
    deployments = system.paths.deployments
    names = {one.name for one in deployments.iterdir()} if deployments.is_dir() else set()
    return sorted({*names, *system.journals.names(), *(one.name for one in all_containers(system.paths))})


def find_temporaries(system: System, container: Container) -> list[Path]:
    """Return the temporary names of a container's files, wherever these are."""
    left = [left for path in _written_files(system, container) for left in files.leftover_temporaries(path)]
    return left + [
        Path(path) for path in temporaries.find_temporaries(container.name, _host_files(container))
    ]


def remove_temporaries(system: System, container: Container, *, needed: Collection[str] = ()) -> None:
    """Remove the temporary names of a container, but those needed; its lock is held, so nobody writes them.

    What somebody has written into a host file at the last moment is put back.
    """
    for stayed in temporaries.remove_temporaries(container.name, _host_files(container), needed=needed):
        system.on_event(
            Warned(f"{stayed} has what somebody wrote into a file of {container.name}: look at it")
        )
    for path in _written_files(system, container):
        for temporary in files.leftover_temporaries(path):
            temporary.unlink(missing_ok=True)


def _written_files(system: System, container: Container) -> Iterator[Path]:
    unit_files = UnitFiles.find(system.paths, container.name)
    yield from (unit_files.unit, unit_files.drop_in, unit_files.tmpfiles)
    yield from (container.link, container.spare_link, system.journals.path(container.name))
    for serial in container.serials():
        yield container.deployment_path(serial) / "info"


def _host_files(container: Container) -> list[HostFile | InstalledFile]:
    """Return what any deployment has put on the host, or was about to."""
    rendered = [
        file
        for serial in container.serials()
        for file in load_host_tree(container.deployment_path(serial) / "host")
    ]
    beside = [replace(file, path=file.path + NEW_SUFFIX) for file in rendered]
    return [*rendered, *beside, *(file for one in container.readable() for file in one.record.installed)]
