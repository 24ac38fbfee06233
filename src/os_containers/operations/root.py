"""A root file system that is on the host already: a container uses it where it is, and never changes it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.deployment import Deployment
from os_containers.deployment.host_tree import load_host_tree
from os_containers.deployment.values import set_by_user
from os_containers.errors import NotFoundError, PolicyError, UsageError
from os_containers.operations.system import System
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode


@dataclass(frozen=True, slots=True)
class Root:
    """A directory with a root file system; its image, if there is one, says what runs in it by default."""

    path: Path
    image: StoredImage | None = None


def made_of(path: Path | None, image: StoredImage | None) -> StoredImage | Root:
    """Return what a deployment is made of. Raises UsageError for nothing at all."""
    if path:
        return Root(path, image)
    if image is None:
        raise no_image()
    return image


def no_image() -> UsageError:
    """Return the error for nothing to make a container of."""
    return UsageError("no image is named", hint="name one, or a root file system with --rootfs")


def find_root(system: System, directory: Path) -> Path:
    """Return the real path of a root file system.

    Raises NotFoundError when there is none, UsageError for one that cannot be a container's.
    """
    path = Path(os.path.realpath(directory))
    if (path / "rootfs").is_dir() and not (path / "usr").exists():
        # a bundle, as atomic took it, too
        path = Path(os.path.realpath(path / "rootfs"))
    for own in (system.paths.state, system.paths.repo):
        real = Path(os.path.realpath(own))
        if real.is_relative_to(path):
            raise UsageError(
                f"{path} contains {own}, which belongs to os-containers", hint="name a directory of its own"
            )
        if path.is_relative_to(real):
            raise UsageError(
                f"{path} is inside {own}, which belongs to os-containers", hint="copy it to another place"
            )
    if not str(path).isprintable():
        raise UsageError(f"{str(path)!a} has unprintable characters", hint="give the directory another name")
    require_root(path, hint="name the directory with usr, etc and so on in it")
    require_trusted(system, path)
    return path


def require_trusted(system: System, path: Path) -> None:
    """Raise PolicyError when others than root may change what says how root's container runs."""
    if system.mode is Mode.USER:
        return
    exports = path / "exports"
    statuses = {one: one.stat() for one in (path, *path.parents)}
    # a link is refused by who reads it
    if exports.is_dir() and not exports.is_symlink():
        statuses |= {one: one.lstat() for one in (exports, *exports.rglob("*"))}
    for one, status in statuses.items():
        if _is_open(status, is_above=one in path.parents):
            raise PolicyError(
                f"users other than root can change {one}, and with it what root runs",
                hint="choose a directory that only root can change, like all above it, or copy it into one",
            )


def _is_open(status: os.stat_result, *, is_above: bool) -> bool:
    # in /tmp nobody can replace what is another's
    is_sticky = is_above and status.st_mode & stat.S_ISVTX
    # a link has every permission, and none is asked for
    mode = 0 if stat.S_ISLNK(status.st_mode) else status.st_mode
    is_writable = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid != 0)
    return status.st_uid not in {0, os.geteuid()} or bool(is_writable and not is_sticky)


def require_root(path: Path, *, hint: str) -> None:
    """Raise NotFoundError unless there is a directory with something in it."""
    if not path.is_dir():
        raise NotFoundError(f"there is no directory {path}, the root file system", hint=hint)
    if not any(path.iterdir()):
        raise NotFoundError(f"{path} is empty, so it is not a root file system", hint=hint)


def require_root_of(deployment: Deployment) -> None:
    """Raise NotFoundError when the root file system that a deployment uses is not there."""
    if deployment.record.remote:
        require_root(deployment.root, hint=missing_hint(deployment))


def missing_hint(deployment: Deployment) -> str:
    """Return what to do when a deployment's root file system is not there."""
    return f"mount it again or put it back, or: os-containers update --rootfs DIR {deployment.container}"


def is_same(one: Deployment, other: Deployment, *, place: Path | None = None) -> bool:
    """Tell whether two deployments say the same in all that was rendered, each of its own place.

    place is where the other one will be, when it is not there yet.
    """
    return _rendered(one, one.path) == _rendered(other, place or other.path)


def _rendered(deployment: Deployment, place: Path) -> object:
    record = deployment.record
    texts = (deployment.config.read_text(), deployment.unit_text(), deployment.tmpfiles_text())
    host_files = [
        (one.path, one.kind, one.mode, one.checksum, one.capabilities)
        for one in load_host_tree(deployment.host_files)
    ]
    made_of = (record.remote, record.image, record.digest, record.runtime, record.has_service)
    return made_of, set_by_user(record.values), [text.replace(str(place), "") for text in texts], host_files
