"""The files that an image puts on the host: first a plan, then its steps.

What was there before us stays and is never ours. A file of ours that somebody changed stays too; if the image
has a newer version of it, that is put beside it as PATH.os-containers-new.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile, checksum
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.events import OnEvent, Step, Warned
from os_containers.files import TEMPORARY_PREFIX, fsync_directory

NEW_SUFFIX = ".os-containers-new"


class Action(Enum):
    """What happens to one path of the host."""

    CREATE = "create"
    REPLACE = "replace"
    LEAVE = "leave"
    KEEP_FOREIGN = "keep what is not ours"
    KEEP_CHANGED = "keep what was changed"
    REMOVE = "remove"
    LET_GO = "let go of what was changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One path, what happens to it, and what is there afterwards that is ours."""

    action: Action
    path: str
    file: HostFile | None = None
    installed: InstalledFile | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """All changes, in the order in which they are made."""

    changes: tuple[Change, ...]

    @property
    def installed(self) -> tuple[InstalledFile, ...]:
        return tuple(change.installed for change in self.changes if change.installed)


def plan_host_files(
    leaving: Iterable[InstalledFile], entering: Iterable[HostFile], *, owners: Mapping[str, str]
) -> HostPlan:
    """Return how the host gets from the files of one deployment to those of another; changes nothing.

    owners says which other container a path belongs to. Raises ConflictError when a path is another
    container's, or something is there that must not be replaced.
    """
    ours = {file.path: file for file in leaving}
    wanted = list(_with_new_versions(entering, ours))
    paths = {file.path for file in wanted}
    changes = [_enter(file, ours.get(file.path), owners) for file in wanted]
    obsolete = (file for file in ours.values() if file.path not in paths)
    # what is in a directory goes before the directory
    changes += [_leave(file) for file in sorted(obsolete, key=lambda file: file.path, reverse=True)]
    return HostPlan(tuple(changes))


def apply_host_files(plan: HostPlan, on_event: OnEvent) -> None:
    """Carry out a plan, each step durably."""
    for change in plan.changes:
        _apply(change, on_event)


def _enter(file: HostFile, ours: InstalledFile | None, owners: Mapping[str, str]) -> Change:
    installed = InstalledFile(file.path, file.kind, file.checksum)
    if file.path in owners and file.kind is not FileKind.DIRECTORY:
        raise ConflictError(
            f"{file.path} belongs to the container {owners[file.path]}",
            hint=f"uninstall {owners[file.path]}, or give other values with --set",
        )
    present = find_installed(file.path)
    if present is None:
        return Change(Action.CREATE, file.path, file, installed)
    if ours is None:
        return _enter_foreign(file, present)
    if present == installed:
        return Change(Action.LEAVE, file.path, file, installed)
    if present == ours and FileKind.DIRECTORY not in {file.kind, present.kind}:
        return Change(Action.REPLACE, file.path, file, installed)
    return Change(Action.KEEP_CHANGED, file.path, file, ours)


def _enter_foreign(file: HostFile, present: InstalledFile) -> Change:
    if file.kind is FileKind.DIRECTORY and present.kind is FileKind.DIRECTORY:
        return Change(Action.LEAVE, file.path, file)
    if file.kind is not FileKind.DIRECTORY and present.kind is FileKind.FILE:
        return Change(Action.KEEP_FOREIGN, file.path, file)
    if file.kind is FileKind.DIRECTORY and Path(file.path).is_dir():
        # a link that the distribution made, as /lib is on merged-usr hosts
        return Change(Action.LEAVE, file.path, file)
    raise ConflictError(
        f"{file.path} is there already, and is a {present.kind}",
        hint=f"move {file.path} away, then try again",
    )


def _leave(file: InstalledFile) -> Change:
    present = find_installed(file.path)
    if present == file or present is None:
        return Change(Action.REMOVE, file.path)
    return Change(Action.LET_GO, file.path)


def _with_new_versions(entering: Iterable[HostFile], ours: Mapping[str, InstalledFile]) -> Iterator[HostFile]:
    for file in entering:
        yield file
        base = ours.get(file.path)
        if base is None or file.kind is FileKind.DIRECTORY or base.checksum == file.checksum:
            continue
        present = find_installed(file.path)
        if present not in {None, base, InstalledFile(file.path, file.kind, file.checksum)}:
            yield replace(file, path=file.path + NEW_SUFFIX)


def find_installed(path: str) -> InstalledFile | None:
    """Return what is at a path of the host now, None for nothing; devices and sockets are a conflict."""
    here = Path(path)
    if here.is_symlink():
        kind = FileKind.SYMLINK
    elif here.is_dir():
        kind = FileKind.DIRECTORY
    elif here.is_file():
        kind = FileKind.FILE
    elif os.path.lexists(here):
        raise ConflictError(
            f"{path} is a device, a pipe or a socket", hint=f"move {path} away, then try again"
        )
    else:
        return None
    return InstalledFile(path, kind, checksum(kind, here))


def changed_files(installed: Sequence[InstalledFile]) -> list[str]:
    """Return which of our files on the host are no longer as we put them there."""
    return [file.path for file in installed if find_installed(file.path) != file]


def _apply(change: Change, on_event: OnEvent) -> None:
    path = Path(change.path)
    match change.action:
        case Action.CREATE | Action.REPLACE:
            assert change.file is not None  # noqa: S101 - for the type checker: these actions carry a file
            _put(change.file, path)
            if change.file.kind is not FileKind.DIRECTORY:
                on_event(Step(f"copied {path}"))
        case Action.REMOVE:
            _remove(path, on_event)
        case Action.KEEP_FOREIGN:
            on_event(Warned(f"{path} was there before: kept, and not managed"))
        case Action.KEEP_CHANGED | Action.LET_GO:
            if not path.is_dir():
                on_event(Step(f"kept {path}: it was changed since it was installed"))
        case Action.LEAVE:
            pass


def _put(file: HostFile, path: Path) -> None:
    if file.kind is FileKind.DIRECTORY:
        path.mkdir(exist_ok=True)
        path.chmod(file.mode)
    else:
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
        try:
            _copy(file, temporary)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def _copy(file: HostFile, temporary: Path) -> None:
    if file.kind is FileKind.SYMLINK:
        temporary.symlink_to(file.rendered.readlink())
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        file.rendered.open("rb") as source,
        os.fdopen(os.open(temporary, flags, 0o600), "wb") as target,
    ):
        while chunk := source.read(1 << 20):
            target.write(chunk)
        target.flush()
        os.fchmod(target.fileno(), file.mode)
        os.fsync(target.fileno())


def _remove(path: Path, on_event: OnEvent) -> None:
    if path.is_dir() and not path.is_symlink():
        try:
            path.rmdir()
        except OSError:
            return  # somebody put something into it: it is not only ours any more
    elif os.path.lexists(path):
        path.unlink()
        on_event(Step(f"file {path} deleted"))
    else:
        return
    fsync_directory(path.parent)
