"""Adopt: the deployments of a predecessor become such that a change can lead away from them and back.

They stay where they are, and nothing on the host changes but the name of a tmpfiles.d fragment. Each step is
one rename, and the record comes last: whoever is killed in between has changed nothing, and the next command
that changes the container does the rest.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from os_containers import files, trees
from os_containers.deployment import predecessor, values
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, save_record
from os_containers.deployment.exports import FileKind, load_exports
from os_containers.deployment.host_tree import HostFile, load_host_tree, write_host_tree
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError, ImageError, UsageError
from os_containers.events import Warned
from os_containers.host.host_root import HostRoot
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.paths import Mode


def adopt(system: System, container: Container) -> None:
    """Complete the deployments of a container that a predecessor made; its lock is held."""
    if not container.exists():
        return
    there = [one for one in container.readable() if one.is_predecessors]
    foreign = [one for one in there if not one.record.is_adopted]
    if not foreign:
        return
    _adopt_fragment(system, container)
    # the values of one image's defaults may have been carried on to the other
    defaults = [found for one in there if (found := _defaults(system, one))]
    for deployment in foreign:
        if system.mode is Mode.SYSTEM and not deployment.host_files.is_dir():
            _complete_host_files(system, deployment)
        save_record(deployment.path, _completed(system, deployment, defaults).record)
        system.tell(f"took over {deployment.path}, which a predecessor made")
        if package := deployment.record.unknown.get("rpm-installed"):
            system.on_event(
                Warned(f"the package {package} stays installed: atomic built it; remove it with rpm")
            )


def _adopt_fragment(system: System, container: Container) -> None:
    """Let the tmpfiles.d fragment have the name that ours have."""
    own = UnitFiles.find(system.paths, container.name).tmpfiles
    namesake = system.named(f"tmpfiles-{container.name}")
    old = UnitFiles.find(system.paths, namesake.name).tmpfiles
    if namesake.exists() or not old.is_file():
        return
    with system.host_locked():
        if own.exists():
            files.unlink_durable(old)
        else:
            old.rename(own)
            files.fsync_directory(own.parent)
    system.tell(f"renamed {old} to {own}")


def _defaults(system: System, deployment: Deployment) -> Mapping[str, str] | None:
    """Return the default values of a deployment's image, None when its rootfs does not tell them any more."""
    try:
        if deployment.rootfs.is_dir():
            return load_exports(deployment.rootfs, limits=system.config.deployment).manifest.defaults()
        why = "it has no rootfs"
    except ImageError as error:
        why = error.message
    system.on_event(Warned(f"{deployment.path}: its default values are treated as set: {why}"))
    return None


def _completed(system: System, deployment: Deployment, defaults: list[Mapping[str, str]]) -> Deployment:
    record = deployment.record
    generated = values.generate(
        system.paths, name=deployment.container, runtime=Path(record.runtime), previous=record.values
    )
    decided = predecessor.with_origins(record.values, defaults=defaults, generated=generated)
    rendered = {file.path: file for file in load_host_tree(deployment.host_files)}
    installed = (_completed_file(file, rendered.get(file.path)) for file in record.installed)
    return replace(deployment, record=replace(record, values=decided, installed=tuple(installed)))


def _completed_file(recorded: InstalledFile, rendered: HostFile | None) -> InstalledFile:
    """Return a recorded host file with its kind and mode; the predecessors took all for files."""
    if rendered is None:
        return recorded
    if rendered.kind is FileKind.FILE:
        # atomic knew no checksums once
        checksum = recorded.checksum or rendered.checksum
        return replace(recorded, checksum=checksum, mode=rendered.mode)
    # they looked behind a symlink: its target is what tells whether it is theirs still
    return InstalledFile(recorded.path, rendered.kind, rendered.checksum, rendered.mode)


def _complete_host_files(system: System, deployment: Deployment) -> None:
    """Give a deployment its host files as they were rendered, for the way back to it."""
    with staging_directory(system, deployment.container) as scratch:
        tree = scratch.path / "host"
        _render(system, deployment, tree)
        _keep_only(tree, {file.path for file in deployment.record.installed})
        for file in deployment.record.installed:
            _take_from_host(file, tree)
        files.sync_file_system(scratch.path)
        tree.rename(deployment.host_files)
        files.fsync_directory(deployment.path)


def _render(system: System, deployment: Deployment, tree: Path) -> None:
    limits = system.config.deployment
    try:
        # what is in another place cannot be linked
        rootfs = deployment.rootfs.resolve()
        if rootfs == deployment.rootfs:
            exports = load_exports(rootfs, limits=limits)
            write_host_tree(exports, rootfs, values.texts(deployment.record.values), tree, limits=limits)
    except (ImageError, UsageError) as error:
        system.on_event(
            Warned(f"{deployment.path}: a rollback to it does not restore its host files: {error.message}")
        )
        if tree.exists():
            trees.remove_tree(tree)
    tree.mkdir(exist_ok=True)


def _keep_only(tree: Path, recorded: set[str]) -> None:
    """Remove what the predecessor has not installed: a rootfs is not to be trusted with more."""
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_symlink() or not path.is_dir():
            if f"/{path.relative_to(tree)}" not in recorded:
                path.unlink()
        elif f"/{path.relative_to(tree)}" not in recorded:
            files.remove_if_empty(path)


def _take_from_host(file: InstalledFile, tree: Path) -> None:
    """Have a host file as it is on the host, where it is as the predecessor put it there.

    Its templates were not always rendered as ours are, and atomic removed a rootfs that no service needs.
    """
    root = HostRoot()
    try:
        real = root.real_path(file.path)
        present = root.find(real)
    except ConflictError:
        return
    place = tree / file.path.lstrip("/")
    is_inside = place.parent.resolve().is_relative_to(tree.resolve()) and not place.is_symlink()
    if present and present.kind is FileKind.FILE and present.checksum == file.checksum and is_inside:
        files.make_directory(place.parent)
        place.unlink(missing_ok=True)
        shutil.copyfile(real, place, follow_symlinks=False)
        place.chmod(present.mode)
