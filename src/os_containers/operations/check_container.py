"""Check a container: its link, record and bundle, its files on the host, and the pins of its deployments."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from os_containers.deployment import factory
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, reinstall, repair_or_reinstall
from os_containers.deployment.soundness import unusable_parts
from os_containers.errors import BrokenError, NotFoundError
from os_containers.host.drift import Drift, drifted_files
from os_containers.image.name import is_local
from os_containers.operations.check_store import Depth, Store
from os_containers.operations.leftovers import find_temporaries
from os_containers.operations.problem import MOVE_AWAY, PULL_FIRST, REPAIR, Problem
from os_containers.operations.root import missing_hint, require_root_of
from os_containers.operations.system import System
from os_containers.operations.unit_problems import unit_file_problems
from os_containers.ostree import refs
from os_containers.ostree.repo import Repo
from os_containers.ostree.tree_drift import find_drift

_PUT_BACK = "os-containers repair puts it back; a file of your own in its place stays, even an empty one"
_SEE_DISK = "the disk may be failing: see journalctl --dmesg"


def check_container(system: System, store: Store, container: Container, depth: Depth) -> Iterator[Problem]:
    """Yield what is wrong with a container that nobody changes meanwhile."""
    recover = f"os-containers recover {container.name}"
    yield from _check_journal(system, container, recover)
    for temporary in find_temporaries(system, container):
        yield Problem("I5", "a killed command left a temporary file", str(temporary), recover)
    if container.has_lost_link or not container.exists():
        yield from _check_no_link(container, recover)
        return
    try:
        deployment = container.current()
        yield from _check_bundle(deployment)
        yield from unit_file_problems(system, deployment)
        yield from _check_host_files(system, deployment)
        yield from _check_others(container, deployment)
        yield from _check_pins(store, container)
        if depth is Depth.CONTENT and store.repo:
            yield from _check_rootfs(store.repo, container)
    except BrokenError as error:
        hint = REPAIR if container.lost() else error.hint or reinstall(container.name)
        yield Problem("I1", error.message, str(container.link), hint)


def _check_journal(system: System, container: Container, recover: str) -> Iterator[Problem]:
    path = str(system.journals.path(container.name))
    try:
        if system.journals.read(container.name):
            yield Problem("I13", f"a change of {container.name} was interrupted", path, recover)
    except BrokenError as error:
        yield Problem("I13", error.message.removeprefix(f"{path}: "), path, error.hint or recover)


def _check_no_link(container: Container, recover: str) -> Iterator[Problem]:
    is_lost = container.has_lost_link
    if container.is_blocked:
        hint = MOVE_AWAY if is_lost else "move it away"
        yield Problem("I1", "this is not a symlink to a deployment", str(container.link), hint)
    elif is_lost:
        yield Problem("I1", "the symlink is missing", str(container.link), container.way_to_link())
    if container.directory.exists() and not is_lost:
        what = f"{container.name} is not a container, but deployments of it are left"
        yield Problem("I16", what, str(container.directory), recover)


def _check_bundle(deployment: Deployment) -> Iterator[Problem]:
    try:
        require_root_of(deployment)
    except NotFoundError as error:
        yield Problem("I1", error.message, str(deployment.root), missing_hint(deployment))
    for path, what in unusable_parts(deployment):
        yield Problem("I1", what, str(path), _way_to_part(deployment, path))


def _way_to_part(deployment: Deployment, path: Path) -> str:
    if deployment.is_factory:
        return factory.REINSTALL
    if not deployment.is_predecessors:
        return REPAIR
    name = deployment.container
    return repair_or_reinstall(name) if path == deployment.unit else f"os-containers update {name}"


def _check_host_files(system: System, deployment: Deployment) -> Iterator[Problem]:
    """Yield the host files that are gone, or cannot be read or replaced; an edited one is only told."""
    name = deployment.container
    for path, drift in drifted_files(deployment.record.installed):
        match drift:
            case Drift.MISSING:
                yield Problem("I5", f"this host file of {name} is missing", path, _PUT_BACK)
            case Drift.IN_THE_WAY:
                what = f"this is in the way of a host file of {name}"
                yield Problem("I5", what, path, MOVE_AWAY)
            case Drift.UNREADABLE:
                yield Problem("I5", f"this host file of {name} cannot be read", path, _SEE_DISK)
            case Drift.CHANGED:
                system.tell(f"{path} of {name} was changed: it stays as it is")


def _check_others(container: Container, current: Deployment) -> Iterator[Problem]:
    usable = {current.serial, *(one.serial for one in container.readable())}
    for serial in container.serials():
        if serial not in usable:
            what = "the record of this deployment cannot be read: no rollback can return to it"
            yield Problem(
                "I1", what, str(container.deployment_path(serial)), "os-containers repair removes it"
            )


def _check_pins(store: Store, container: Container) -> Iterator[Problem]:
    if store.problems:
        return  # told already
    repo = store.repo
    for deployment in container.readable():
        if not deployment.is_ours or not deployment.record.commit:
            continue
        pin = (container.name, deployment.serial)
        ref = repo.pins.ref(*pin) if repo else refs.pin_ref(*pin)
        if not repo or repo.refs.find(ref) != deployment.record.commit:
            yield Problem("I11", "a deployment's commit is not pinned", ref, REPAIR)
        elif not repo.is_whole(deployment.record.commit):
            hint = PULL_FIRST if is_local(deployment.record.image) else REPAIR
            yield Problem("I11", "objects of a deployment's commit are missing", ref, hint)


def _check_rootfs(repo: Repo, container: Container) -> Iterator[Problem]:
    """Yield the deployments with files that are not those of their image, once for each and each way out."""
    for deployment in container.readable():
        if not deployment.is_ours or not deployment.record.commit or deployment.record.remote:
            continue
        others: dict[bool, list[Path]] = {True: [], False: []}
        # what is not whole is told with the store
        with contextlib.suppress(BrokenError):
            tree = repo.whole_tree(deployment.record.commit)
            for one in find_drift(repo.path, repo.mode, tree, deployment.rootfs):
                others[one.drift.is_mendable].append(one.path)
        for is_mendable, paths in others.items():
            if paths:
                of = f"deployment {deployment.serial} of {container.name}"
                what = f"files of {of} differ from its image: {len(paths)}, this is the first"
                yield Problem("I1", what, str(paths[0]), REPAIR if is_mendable else MOVE_AWAY)
