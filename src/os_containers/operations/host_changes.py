"""What a transition changes on the host: host files and unit files, and what the record says of them."""

import contextlib
import os
from collections.abc import Collection, Sequence

from os_containers.deployment.container import Container, all_containers
from os_containers.deployment.deployment import Deployment, read_record, repair_or_reinstall
from os_containers.deployment.exports import FileKind, load_exports
from os_containers.deployment.host_tree import destinations, load_host_tree
from os_containers.deployment.record import InstalledFile, Record, dump_record
from os_containers.deployment.soundness import lacks_unit
from os_containers.deployment.values import texts
from os_containers.errors import BrokenError, ImageError, OsContainersError, ProcessError
from os_containers.events import Warned
from os_containers.host.hostfiles import HostPlan, plan_host_files
from os_containers.host.unit import directories_of
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.edited_units import keep_edited_units
from os_containers.operations.made_directories import directories_made
from os_containers.operations.service import unit_state
from os_containers.operations.system import System


def plan(
    system: System,
    container: Container,
    entering: Deployment | None,
    *,
    ours: Sequence[Deployment | None],
    left_out: frozenset[str] = frozenset(),
    brought: Collection[str] = (),
) -> HostPlan:
    """Return how the host gets to the files of a deployment, but those left out; changes nothing.

    What is on the host from us is in the records of `ours`; what a package has brought since is not removed.
    """
    others = _of_others(system, container)
    leaving = [file for one in ours if one for file in one.record.installed]
    if not entering:
        known = {file.path for file in leaving}
        leaving += [file for file in unrecorded_files(container) if file.path in known]
    return plan_host_files(
        leaving,
        load_host_tree(entering.host_files) if entering else (),
        owners={file.path: name for name, file in others if file.kind is not FileKind.DIRECTORY},
        shared={file.path for _, file in others if file.kind is FileKind.DIRECTORY},
        brought=brought,
        left_out=left_out,
    )


def files_of_factory(system: System, container: Container) -> set[str]:
    """Return the host files that the distribution brings for its own container.

    Raises OSError or SystemFaultError when the host fails us: what is not known of would go as ours.
    """
    # a broken one must not stop us
    with contextlib.suppress(BrokenError, ImageError):
        if container.factory:
            record = read_record(container.factory / "info")
            limits = system.config.deployment
            exports = load_exports(container.factory / "rootfs", limits=limits)
            return set(destinations(exports, texts(record.values), limits))
    return set()


def unrecorded_files(container: Container) -> list[InstalledFile]:
    """Return what those deployments brought for the host whose record cannot be read; not all is ours."""
    readable = {one.serial for one in container.readable()}
    return [
        InstalledFile(file.path, file.kind, file.checksum, file.mode)
        for serial in container.serials()
        if serial not in readable
        for file in load_host_tree(container.deployment_path(serial) / "host")
    ]


def missing_files(deployment: Deployment | None) -> tuple[str, ...]:
    """Return the host files of the active deployment that somebody has removed."""
    installed = deployment.record.installed if deployment else ()
    return tuple(file.path for file in installed if not os.path.lexists(file.path))


def activated_record(
    container: Container, leaving: Deployment | None, entering: Deployment, plan: HostPlan
) -> Record:
    """Return the record of a deployment that is about to be active: what on the host is its own."""
    before = container.readable() if leaving else ()
    kept = (path for one in before for path in directories_made(one))
    made = (one for one in directories_of(entering.tmpfiles_text()) if not os.path.lexists(one))
    directories = dict.fromkeys((*entering.record.directories, *kept, *made))
    return entering.record.activated(plan.installed, tuple(directories))


def check_record(
    container: Container, leaving: Deployment | None, entering: Deployment | None, plan: HostPlan
) -> None:
    """Raise ImageError when the record of a deployment could not be written once it is active."""
    if entering:
        dump_record(activated_record(container, leaving, entering, plan))


def change_unit_files(system: System, container: Container, entering: Deployment | None) -> None:
    """Let systemd have the unit of a deployment, or none."""
    keep_edited_units(system, container, entering)
    unit_files = UnitFiles.find(system.paths, container.name)
    if entering and entering.is_factory:
        # what is in /usr counts again when ours is gone, and systemd knows; who was killed had not told it
        if not unit_files.are_gone() or unit_state(system, container).needs_reload:
            unit_files.remove(services=system.services, on_event=system.on_event)
        _make_directories(system, entering)
    elif entering and entering.record.has_service:
        unit_files.install(
            unit_text=entering.unit.read_bytes(),
            tmpfiles_text=entering.tmpfiles_text().encode(errors="surrogateescape"),
            services=system.services,
            on_event=system.on_event,
        )
    elif not unit_files.are_gone() or unit_state(system, container).load != "not-found":
        unit_files.remove(services=system.services, on_event=system.on_event)


def _make_directories(system: System, factory: Deployment) -> None:
    """Have the directories of the distribution's deployment: the fragment of ours may have removed some."""
    if not factory.tmpfiles_text():
        return
    system.tell(system.services.shown("systemd-tmpfiles", "--create", str(factory.tmpfiles)))
    try:
        system.services.create_tmpfiles(factory.tmpfiles)
    except ProcessError as error:
        # it is not ours to refuse
        system.on_event(Warned(error.message))


def check_units(
    system: System, container: Container, leaving: Deployment | None, entering: Deployment | None
) -> None:
    """Raise an error, while nothing has changed, when a unit cannot be put in place or back there."""
    unit_files = UnitFiles.find(system.paths, container.name)
    unit_files.check_places()
    if entering:
        unit_files.check_unmasked()
    if leaving and leaving.is_factory and entering and not entering.is_factory:
        unit_files.check_unclaimed()
    # what is damaged can still be uninstalled
    for one in (leaving, entering) if entering else ():
        if one and lacks_unit(one):
            raise BrokenError(f"{one.unit} is missing", hint=_way_to_unit(one, is_active=one is leaving))
    # asked now, and not while the service is away
    system.services.version()


def _way_to_unit(deployment: Deployment, *, is_active: bool) -> str:
    if not deployment.is_predecessors:
        return "os-containers repair makes it again"
    # the host has a copy of the active one's
    name = deployment.container
    return repair_or_reinstall(name) if is_active else f"os-containers update --rebase IMAGE {name}"


def _of_others(system: System, container: Container) -> list[tuple[str, InstalledFile]]:
    """Return the host files of the other containers, each with its container's name."""
    others: list[tuple[str, InstalledFile]] = []
    for other in all_containers(system.paths):
        if other.name == container.name:
            continue
        # a broken neighbour must not stop this container
        with contextlib.suppress(OsContainersError):
            others += [(other.name, file) for file in other.current().record.installed]
    return others
