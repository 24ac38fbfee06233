"""Images to look into: checked out, and shown read-only at a directory."""

import os
from dataclasses import dataclass
from pathlib import Path

from os_containers import files
from os_containers.errors import ConflictError, NotFoundError, UsageError
from os_containers.host.bind_mounts import mount_points, show_read_only, unmount
from os_containers.operations.find_image import stored_images
from os_containers.operations.image_checkouts import own_mount_points, remove_unmounted
from os_containers.operations.image_use import nameless_images
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree.checkout import checkout
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode

_SHORT = 12


@dataclass(frozen=True, slots=True)
class MountedImage:
    """An image that is mounted; names are those that it has now, none when it was deleted."""

    commit: str
    names: tuple[str, ...]
    path: Path


def mounted_images(system: System) -> list[MountedImage]:
    """Return what is mounted, by path."""
    found = mount_points(system.paths.mounted)
    if not found:
        return []
    repo = system.repo()
    names: dict[str, list[str]] = {}
    for one in repo.images():
        names.setdefault(one.commit, []).append(one.name)
    mounted = [MountedImage(commit, tuple(names.get(commit, ())), path) for commit, path in found]
    return sorted(mounted, key=lambda one: one.path)


def mount_image(system: System, image: str, directory: Path | None = None) -> MountedImage:
    """Return an image, mounted now, read-only; in a directory of ours when none is given.

    Raises ConflictError for a directory that is in use. Only root can do it: UsageError for others.
    """
    if system.mode is Mode.USER:
        raise UsageError(
            "only root can mount an image", hint=f"to look into it: os-containers run {image} ls -l /"
        )
    repo = system.repo()
    with system.store_in_use(), system.mounts_locked():
        found = stored_images(repo, image, nameless=nameless_images(repo))[0]
        # before: it may be the very checkout, from before a reboot
        remove_unmounted(system)
        try:
            point = _mount_point(system, found, directory)
            if not any(path == point for _, path in mount_points(system.paths.mounted)):
                _show(system, repo, found.commit, point)
        except BaseException:
            remove_unmounted(system)
            raise
        return next(one for one in mounted_images(system) if one.path == point)


def unmount_image(system: System, said: str) -> list[Path]:
    """Unmount what a path names, or all mounts of an image, and return where they were.

    Raises NotFoundError when there is none, BusyError while somebody works in one.
    """
    with system.store_in_use(), system.mounts_locked():
        gone = _mounts_meant(system, said)
        for one in gone:
            unmount(one.path)
        remove_unmounted(system)
    return [one.path for one in gone]


def _mounts_meant(system: System, said: str) -> list[MountedImage]:
    mounted = mounted_images(system)
    point = Path(os.path.realpath(said))
    meant = [one for one in mounted if one.path == point]
    if meant:
        return meant
    all_listed = "os-containers images mount lists what is mounted"
    if said.startswith((".", "/")):
        raise NotFoundError(f"no image is mounted at {said}", hint=all_listed)
    repo = system.repo()
    commits = {one.commit for one in stored_images(repo, said, nameless=nameless_images(repo))}
    meant = [one for one in mounted if one.commit in commits]
    if not meant:
        raise NotFoundError(f"{said} is not mounted", hint=all_listed)
    return meant


def _mount_point(system: System, image: StoredImage, directory: Path | None) -> Path:
    """Return an empty directory, or one of ours, where the image may be mounted already."""
    if directory is None:
        point = own_mount_points(system) / image.digest.hex[:_SHORT]
        files.make_directory(point, mode=0o700)
        return point
    if not directory.is_dir():
        raise NotFoundError(f"{directory} is not a directory", hint=f"mkdir {directory}")
    if any(directory.iterdir()):
        raise ConflictError(f"{directory} is not empty", hint="choose an empty directory")
    return directory.resolve()


def _show(system: System, repo: Repo, commit: str, point: Path) -> None:
    tree = system.paths.mounted / commit
    if not tree.exists():
        files.make_directory(tree.parent, mode=0o700)
        with staging_directory(system, "mount") as scratch:
            checkout(repo, commit, scratch.path / "rootfs")
            (scratch.path / "rootfs").rename(tree)
    show_read_only(tree, point)
