"""The single steps in a directory of the host: write, create, replace, remove; each by names in it.

A name that is to change is first taken away or exchanged in one step, and then what has come away is looked
at: so what somebody wrote at the last moment is found, and put back.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator

from os_containers import files
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import CAPABILITIES, HostFile
from os_containers.deployment.record import InstalledFile
from os_containers.errors import BrokenError, ConflictError, SystemFaultError
from os_containers.host import renames
from os_containers.host.host_root import find_at
from os_containers.selinux import give_label

# how a file looks that is not whole yet; no finished one has this mode
UNFINISHED = 0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_file(file: HostFile, name: str, directory_fd: int) -> None:
    """Write a host file under a new name, durably, with its owner and mode.

    Raises SystemFaultError when there is no room for it, BrokenError when it is not what was rendered.
    """
    if file.kind is FileKind.SYMLINK:
        os.symlink(file.rendered.readlink(), name, dir_fd=directory_fd)
        if os.geteuid() == 0:
            os.chown(name, file.uid, file.gid, dir_fd=directory_fd, follow_symlinks=False)
        # the system call for a name in an open directory is too new
        give_label(f"/proc/self/fd/{directory_fd}/{name}", file.label)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        _explained(file, directory_fd),
        os.fdopen(os.open(name, flags, UNFINISHED, dir_fd=directory_fd), "wb") as target,
    ):
        _copy(file, target.write)
        target.flush()
        # what has its mode is whole, even after a power cut
        os.fsync(target.fileno())
        _dress(target.fileno(), file)
        os.fsync(target.fileno())


def create(old: str, old_fd: int, new: str, new_fd: int, path: str) -> None:
    """Give what waits its name. Raises ConflictError when there is something of this name by now."""
    try:
        renames.rename_to_free_name(old, new, old_fd=old_fd, new_fd=new_fd)
    except FileExistsError as error:
        raise ConflictError(
            f"{path} was created by another program in the meantime", hint="try again"
        ) from error
    os.fsync(new_fd)
    os.fsync(old_fd)


def replace(new: str, name: str, directory_fd: int, recorded: InstalledFile) -> bool:
    """Put a new version in the place of the recorded one; False, and nothing done, if another is there.

    The recorded one has the name of the new one then, where the file system can exchange names.
    """
    if not files.is_there(name, directory_fd):
        create(new, directory_fd, name, directory_fd, recorded.path)
        return True
    if not _is_recorded(name, directory_fd, recorded):
        return False
    if not renames.exchange_names(new, name, directory_fd):
        os.rename(new, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    elif not _is_recorded(new, directory_fd, recorded):
        renames.exchange_names(new, name, directory_fd)
        return False
    os.fsync(directory_fd)
    return True


def take_away(name: str, temporary: str, directory_fd: int, recorded: InstalledFile) -> bool:
    """Give the recorded file a temporary name; False, and nothing done, if another is there."""
    renames.rename_to_free_name(name, temporary, old_fd=directory_fd, new_fd=directory_fd)
    if not _is_recorded(temporary, directory_fd, recorded):
        create(temporary, directory_fd, name, directory_fd, recorded.path)
        return False
    os.fsync(directory_fd)
    return True


def create_directory(file: HostFile, temporary: str, name: str, directory_fd: int) -> None:
    """Make a directory that has its mode from its first moment on."""
    os.mkdir(temporary, 0o700, dir_fd=directory_fd)
    try:
        set_directory_mode(file, temporary, directory_fd)
        create(temporary, directory_fd, name, directory_fd, file.path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(temporary, dir_fd=directory_fd)
        raise


def set_directory_mode(file: HostFile, name: str, directory_fd: int) -> None:
    """Give a directory of ours the mode that it is to have."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory_fd)
    try:
        _dress(descriptor, file)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_directory(name: str, directory_fd: int) -> None:
    """Remove a directory if nobody has put something into it: then it is not only ours any more."""
    if files.is_there(name, directory_fd) and files.remove_unless_needed(name, directory_fd=directory_fd):
        os.fsync(directory_fd)


def _is_recorded(name: str, directory_fd: int, recorded: InstalledFile) -> bool:
    try:
        return find_at(name, directory_fd, recorded.path) == recorded
    except ConflictError:
        return False  # a device, a pipe or a socket


def _copy(file: HostFile, write: Callable[[bytes], object]) -> None:
    digest = hashlib.sha256()
    source_fd = os.open(file.rendered, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(source_fd, "rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            write(chunk)
    if digest.hexdigest() != file.checksum:
        raise BrokenError(
            f"{file.rendered} does not match its checksum",
            hint="os-containers check shows what else is damaged",
        )


def _dress(descriptor: int, file: HostFile) -> None:
    give_label(descriptor, file.label)
    # in this order: chown(2) takes setuid away
    if os.geteuid() == 0:
        os.fchown(descriptor, file.uid, file.gid)
    os.fchmod(descriptor, file.mode)
    if file.capabilities:
        os.setxattr(descriptor, CAPABILITIES, file.capabilities)


@contextlib.contextmanager
def _explained(file: HostFile, directory_fd: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        space = os.fstatvfs(directory_fd)
        raise SystemFaultError(
            f"no room for {file.path}: {file.rendered.stat().st_size} bytes needed,"
            f" {space.f_bavail * space.f_frsize} free",
            hint="make room on its file system, then try again",
        ) from error
