"""Bring a new deployment to its place, whole: built where nobody sees it, durable, then renamed.

It becomes active only by a transition.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from os_containers import files
from os_containers.deployment.deployment import Deployment, save_record
from os_containers.deployment.exports import FileKind, load_exports
from os_containers.deployment.host_tree import load_host_tree
from os_containers.deployment.record import Approved
from os_containers.errors import OsContainersError
from os_containers.events import Warned
from os_containers.host.host_policy import POLICY_FILE, allowed_by, approve
from os_containers.host.host_root import HostRoot
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.build import build
from os_containers.operations.retention import discard
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.paths import Mode
from os_containers.scratch import Scratch, scratch_directory


def stage(system: System, repo: Repo, blueprint: Blueprint) -> Deployment:
    """Return a new, complete deployment that is not active yet, with its commit pinned in the repo.

    Raises ImageError when the image cannot be made into one, PolicyError when a host file of it needs the
    admin's word; then nothing is left of it.
    """
    try:
        deployment = _build_and_publish(system, repo, blueprint)
        if deployment.record.has_service:
            # at the path where systemd will read it; nothing on the host has changed yet
            system.services.verify_unit(deployment.unit)
    except BaseException:
        # the next command tries again to tidy up
        with contextlib.suppress(OsContainersError, OSError):
            discard(system, repo, system.container(blueprint.name), blueprint.serial)
        raise
    return deployment


@contextlib.contextmanager
def drafted(system: System, repo: Repo, blueprint: Blueprint) -> Iterator[Deployment]:
    """Give the same for a look at it, in a directory that goes in the end. Raises as stage does."""
    with _built(system, repo, blueprint) as deployment:
        if deployment.record.has_service:
            system.services.verify_unit(deployment.unit)
        yield deployment


def _build_and_publish(system: System, repo: Repo, blueprint: Blueprint) -> Deployment:
    with _built(system, repo, blueprint) as built:
        save_record(built.path, built.record)
        if blueprint.image:
            repo.pins.add(blueprint.name, blueprint.serial, blueprint.image.commit)
        _publish(built.path, blueprint.path)
    return replace(built, path=blueprint.path)


@contextlib.contextmanager
def _built(system: System, repo: Repo, blueprint: Blueprint) -> Iterator[Deployment]:
    for warning in blueprint.runtime.warnings():
        system.on_event(Warned(warning))
    with staging_directory(system, blueprint.name) as scratch:
        directory = scratch.path / "deployment"
        directory.mkdir(mode=0o700)
        built = build(system, repo, blueprint, directory).record
        record = replace(built, approved=approved_files(system, blueprint, directory / "host"))
        deployment = Deployment(blueprint.name, directory, record)
        if system.mode is Mode.USER:
            _tell_skipped_files(system, deployment)
        yield deployment


def _tell_skipped_files(system: System, deployment: Deployment) -> None:
    """Warn about the host files that only root may install, unless the active deployment has the same."""
    before: list[str] = []
    with contextlib.suppress(OsContainersError, OSError):
        before = _exported_files(system, system.container(deployment.container).current())
    skipped = _exported_files(system, deployment)
    if skipped and skipped != before:
        system.on_event(Warned(f"only root can install host files; not copied: {', '.join(skipped)}"))


def _exported_files(system: System, deployment: Deployment) -> list[str]:
    exports = load_exports(deployment.root, limits=system.config.deployment)
    return [file.path for file in exports.host_files if file.kind is not FileKind.DIRECTORY]


@contextlib.contextmanager
def staging_directory(system: System, name: str) -> Iterator[Scratch]:
    """Give a new directory on the file system of the repo; what is still in it at the end is removed."""
    files.make_directory(system.paths.staging, mode=0o700)
    with scratch_directory(system.paths.staging, f"{name}-") as scratch:
        yield scratch


def approved_files(system: System, blueprint: Blueprint, host_tree: Path) -> Approved:
    """Return what of the host files needed the admin's word and has it.

    Raises PolicyError when it has not.
    """
    root = HostRoot()
    host_files = [(file, root.real_path(file.path)) for file in load_host_tree(host_tree)]
    allowed = allowed_by(system.paths.config_directory / POLICY_FILE)
    return approve(host_files, blueprint.permission.with_paths(allowed), blueprint.approved)


def _publish(directory: Path, path: Path) -> None:
    files.sync_file_system(directory)
    files.make_directory(path.parent, mode=0o700)
    directory.rename(path)
    files.fsync_directory(path.parent)
    files.fsync_directory(directory.parent)
