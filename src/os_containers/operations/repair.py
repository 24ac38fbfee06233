"""Repair: mend what check finds, as far as the registry and the records allow.

Running containers go on: an object that was damaged is fetched again beside the damaged one, and comes into a
rootfs by one rename a file.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container, Deployment, all_containers
from os_containers.deployment.soundness import unusable_parts
from os_containers.errors import BrokenError, OsContainersError
from os_containers.events import Warned
from os_containers.faults import in_words, next_step
from os_containers.host.drift import Drift, drifted_files
from os_containers.image.access import ProxyOptions
from os_containers.image.reference import ImageReference, split_tag
from os_containers.operations.build import blueprint_of, build
from os_containers.operations.check import Depth, Problem, check, unit_file_problems
from os_containers.operations.host_changes import change_unit_files, install_recovery_unit, put_back
from os_containers.operations.leftovers import known_names
from os_containers.operations.prune import remove_orphans
from os_containers.operations.pull import pull
from os_containers.operations.recover import recover_all
from os_containers.operations.retention import discard
from os_containers.operations.salvage import salvage
from os_containers.operations.service import Start
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.objects import make_way, object_path
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.ostree.tree import Directory
from os_containers.ostree.verification import damaged_objects


def repair(system: System, options: ProxyOptions) -> list[Problem]:
    """Mend what can be mended, telling each step, and return the problems that are left."""
    for name in known_names(system):
        with _told(system):
            _mend_link(system, Container(name, system.paths.state))
    with _told(system):
        recover_all(system, Start.WATCHED)
    repo = system.repo()
    _remove_damaged_objects(system, repo)
    for ref in repo.image_refs():
        with _told(system):
            if repo.image_problem(ref):
                _pull(system, refs.image_name(ref), options)
    for container in all_containers(system.paths):
        with _told(system), system.locked(container):
            _mend_container(system, repo, container, options)
    with system.store_locked():
        remove_orphans(system, repo)
    return check(system, Depth.CONTENT)


def _mend_link(system: System, container: Container) -> None:
    """Let the symlink of a container name the deployment again that the host runs."""
    with system.locked(container):
        lost = None if system.journals.path(container.name).exists() else container.lost()
        # what else has this name is somebody's, and check tells what to do with it
        if lost and (container.exists() or not container.link.exists()):
            install_recovery_unit(system)
            container.switch(lost)
            system.tell(f"pointed {container.link} to {lost.path} again")


def _remove_damaged_objects(system: System, repo: Repo) -> None:
    """Remove what is not what its name says, so that it counts as missing and is fetched again."""
    with system.store_locked():
        for name in damaged_objects(repo.path, repo.mode):
            with _told(system):
                path = Path(object_path(repo.path, name))
                make_way(path, "object")
                path.unlink(missing_ok=True)
                system.tell(f"removed the damaged object {name}")


def _pull(system: System, image: str, options: ProxyOptions) -> StoredImage:
    system.tell(f"pulling {image} again")
    return pull(system, ImageReference.parse(image), options=options)


def _mend_container(system: System, repo: Repo, container: Container, options: ProxyOptions) -> None:
    with _told(system):
        salvage(system, repo, container)
    for deployment in container.readable():
        with _told(system):
            _mend_commit(system, repo, deployment, options)
            _mend_bundle(system, repo, deployment)
            _mend_rootfs(system, repo, deployment)
    current = container.current()
    _remove_unreadable(system, repo, container, current)
    with _told(system):
        _mend_host_files(system, container, current)
    if any(unit_file_problems(system, current)):
        with system.host_locked():
            change_unit_files(system, container, current)


def _mend_host_files(system: System, container: Container, current: Deployment) -> None:
    """Put back the host files that are missing; what somebody has changed stays."""
    drifted = drifted_files(current.record.installed)
    missing = {path for path, drift in drifted if drift is Drift.MISSING}
    if missing:
        with system.host_locked():
            put_back(system, container, current, missing)


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
        fetched = _pull(system, digested, options)
        if is_new:
            repo.delete_image(digested)  # the pin keeps it
        if fetched.commit != record.commit:
            raise BrokenError(
                f"the image of deployment {deployment.serial} of {container} cannot be had again",
                hint=f"os-containers update --pull {container}",
            )
    if repo.read_ref(refs.pin_ref(container, deployment.serial)) != record.commit:
        repo.pin(container, deployment.serial, record.commit)
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
                files.remove_tree(path)
            (scratch.path / path.name).rename(path)
            system.tell(f"made {path} anew")
    files.fsync_directory(deployment.path)


def _mend_rootfs(system: System, repo: Repo, deployment: Deployment) -> None:
    """Link every file that is not the object that it should be; whoever opens it next sees the new one."""
    for path, checksum in _files(repo.whole_tree(deployment.record.commit)):
        here, there = deployment.rootfs / path, Path(object_path(repo.path, f"{checksum}.file"))
        if not there.is_symlink() and not _is_same(here, there):
            temporary = files.temporary_name(here)
            os.link(there, temporary)
            temporary.rename(here)
            system.tell(f"linked {here} again")


def _is_same(here: Path, there: Path) -> bool:
    # a symlink is what the user's repo keeps as a file; it is no hard link in the rootfs
    return here.is_symlink() or (here.exists() and here.samefile(there))


def _files(root: Directory) -> Iterator[tuple[str, str]]:
    pending = [("", root)]
    while pending:
        path, directory = pending.pop()
        yield from ((f"{path}{name}", checksum) for name, checksum in directory.files.items())
        pending += [(f"{path}{name}/", inner) for name, inner in directory.directories.items()]


@contextlib.contextmanager
def _told(system: System) -> Iterator[None]:
    """Go on with the rest when one thing cannot be mended: it is told, and check names it in the end."""
    try:
        yield
    except OsContainersError as error:
        system.on_event(Warned(f"{error.message}; {error.hint}" if error.hint else error.message))
    except OSError as error:
        system.on_event(Warned(f"{in_words(error)}; {next_step(error)}"))
