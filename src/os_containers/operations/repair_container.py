"""Repair a container: its record, its deployments, and what the host has of it."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from os_containers import files, trees
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, save_record
from os_containers.deployment.exports import FileKind
from os_containers.deployment.soundness import lacks_unit, unusable_parts
from os_containers.errors import BrokenError, NotFoundError, OsContainersError
from os_containers.events import Warned
from os_containers.faults import in_words, next_step
from os_containers.host.drift import Drift, drifted_files
from os_containers.host.hostfiles import Action, Change
from os_containers.host.prepared_files import apply_host_files, prepare_host_files
from os_containers.host.unit_files import UnitFiles
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
from os_containers.image.reference import ImageReference, split_tag
from os_containers.operations.adopt import adopt
from os_containers.operations.blueprint import blueprint_of
from os_containers.operations.build import build
from os_containers.operations.host_changes import change_unit_files, plan
from os_containers.operations.problem import PULL_FIRST
from os_containers.operations.pull import pull
from os_containers.operations.recoverable import install_recovery_unit
from os_containers.operations.retention import discard
from os_containers.operations.salvage import salvage
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.operations.unit_problems import unit_file_problems
from os_containers.ostree import refs
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.ostree.tree_drift import find_drift, mend_drift


def mend_link(system: System, container: Container) -> None:
    """Let the symlink of a container name the deployment again that the host runs."""
    with system.locked(container):
        lost = None if system.journals.path(container.name).exists() else container.lost()
        # what else has this name is somebody's, and check tells what to do with it
        if lost and not container.is_blocked:
            install_recovery_unit(system)
            container.switch(lost)
            system.tell(f"pointed {container.link} to {lost.path} again")


def mend_container(system: System, repo: Repo, container: Container, options: ProxyOptions) -> None:
    """Mend what is damaged of a container in the store, in its bundles and on the host, telling each step."""
    with told(system):
        adopt(system, container)
        salvage(system, repo, container)
    for deployment in [one for one in container.readable() if one.is_ours]:
        with told(system):
            if deployment.record.commit:
                _mend_commit(system, repo, deployment, options)
            _mend_bundle(system, repo, deployment)
            if not deployment.record.remote:
                _mend_rootfs(system, repo, deployment)
    current = container.current()
    with told(system):
        _mend_predecessors_unit(system, current)
    _remove_unreadable(system, repo, container, current)
    with told(system):
        _mend_host_files(system, container, current)
    if any(unit_file_problems(system, current)):
        with system.host_locked():
            change_unit_files(system, container, current)


def _mend_predecessors_unit(system: System, current: Deployment) -> None:
    """Let what a predecessor deployed have its unit again, from the host: no image makes it anew."""
    on_host = UnitFiles.find(system.paths, current.container).unit
    if current.is_predecessors and lacks_unit(current) and on_host.is_file():
        files.write_atomic(current.unit, on_host.read_bytes(), mode=0o644)
        system.tell(f"restored {current.unit} from {on_host}")


def _mend_host_files(system: System, container: Container, current: Deployment) -> None:
    """Put back the host files that are missing; what somebody has changed stays."""
    drifted = drifted_files(current.record.installed)
    missing = {path for path, drift in drifted if drift is Drift.MISSING}
    if missing:
        with system.host_locked():
            _put_back(system, container, current, missing)


def _put_back(system: System, container: Container, current: Deployment, paths: Collection[str]) -> None:
    """Have missing host files of the active deployment again, and the directories that they need."""
    whole = plan(system, container, current, ours=[current])
    changes = tuple(one for one in whole.changes if one.action is Action.CREATE and _leads_to(one, paths))
    installed = {file.path: file for file in current.record.installed}
    installed |= {one.path: one.installed for one in changes if one.installed}
    record = replace(current.record, installed=tuple(installed.values()))
    narrowed = replace(whole, changes=changes)
    with prepare_host_files(narrowed, container.name) as prepared:
        # first: what is on the host is in a record, whenever we are killed
        save_record(current.path, record)
        apply_host_files(narrowed, prepared, system.on_event)


def _leads_to(change: Change, paths: Collection[str]) -> bool:
    is_directory = change.file is not None and change.file.kind is FileKind.DIRECTORY
    return change.path in paths or (
        is_directory and any(Path(path).is_relative_to(change.path) for path in paths)
    )


def _remove_unreadable(system: System, repo: Repo, container: Container, current: Deployment) -> None:
    """Remove the deployments that nobody can roll back to; an interrupted change may still need one."""
    readable = {current.serial, *(one.serial for one in container.readable())}
    if not system.journals.path(container.name).exists():
        for serial in set(container.serials()) - readable:
            discard(system, repo, container, serial)
            system.tell(f"removed the damaged deployment {serial} of {container.name}")


def _mend_commit(system: System, repo: Repo, deployment: Deployment, options: ProxyOptions) -> None:
    """Have the whole commit of a deployment, pinned; its image may have another name by now, or none."""
    record, container = deployment.record, deployment.container
    if not repo.is_whole(record.commit):
        name, _ = split_tag(record.image)
        digested = f"{name}@{record.digest}"
        is_new = refs.image_ref(digested) not in repo.image_refs()
        fetched = pull_again(system, digested, options)
        if is_new:
            repo.delete_image(digested)  # the pin keeps it
        if fetched.commit != record.commit:
            raise BrokenError(
                f"the image of deployment {deployment.serial} of {container} is no longer available",
                hint=f"os-containers update --pull {container}",
            )
    if repo.refs.find(repo.pins.ref(container, deployment.serial)) != record.commit:
        repo.pins.add(container, deployment.serial, record.commit)
        system.tell(f"pinned the commit of deployment {deployment.serial} of {container} again")


def _mend_bundle(system: System, repo: Repo, deployment: Deployment) -> None:
    """Make what is missing or unusable of a deployment anew, from its image and its values."""
    wanted = [path for path, _ in unusable_parts(deployment)]
    if not wanted:
        return
    with staging_directory(system, deployment.container) as scratch:
        build(system, repo, blueprint_of(system, repo, deployment), scratch.path)
        files.sync_file_system(scratch.path)
        for path in wanted:
            if path.is_dir():
                trees.remove_tree(path)
            (scratch.path / path.name).rename(path)
            system.tell(f"made {path} again")
    files.fsync_directory(deployment.path)


def _mend_rootfs(system: System, repo: Repo, deployment: Deployment) -> None:
    """Let every file be the image's again; whoever opens it next sees it. What has been added stays."""
    tree = repo.whole_tree(deployment.record.commit)
    is_mended = False
    for drifted in find_drift(repo.path, repo.mode, tree, deployment.rootfs):
        if drifted.drift.is_mendable:
            with told(system):
                mend_drift(repo.path, repo.mode, drifted)
                system.tell(f"restored {drifted.path} from the image")
                is_mended = True
    if is_mended:
        files.sync_file_system(deployment.rootfs)


def pull_again(system: System, image: str, options: ProxyOptions) -> StoredImage:
    """Fetch what is missing of an image; return it as it is now.

    Raises NotFoundError for one that no registry has.
    """
    if is_local(image):
        raise NotFoundError(f"no registry has {image}", hint=PULL_FIRST)
    system.tell(f"pulling {image} again")
    return pull(system, ImageReference.parse(image), options=options)


@contextlib.contextmanager
def told(system: System) -> Iterator[None]:
    """Go on with the rest when one thing cannot be mended: it is told, and check names it in the end."""
    try:
        yield
    except OsContainersError as error:
        system.on_event(Warned(f"{error.message}; {error.hint}" if error.hint else error.message))
    except OSError as error:
        system.on_event(Warned(f"{in_words(error)}; {next_step(error)}"))
