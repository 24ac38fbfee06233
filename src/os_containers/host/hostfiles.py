"""The files that an image puts on the host: first a plan, then its steps.

What was there before us stays and is never ours. A file of ours that somebody changed stays too; if the image
has a newer version of it, that is put beside it as PATH.os-containers-new.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile, checksum
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.events import OnEvent, Step, Warned
from os_containers.files import fsync_directory, temporary_name

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
    """One path, what is there, what happens to it, and what is there afterwards that is ours."""

    action: Action
    path: str
    present: InstalledFile | None
    file: HostFile | None = None
    installed: InstalledFile | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """All changes, in the order in which they are made."""

    changes: tuple[Change, ...]

    @property
    def installed(self) -> tuple[InstalledFile, ...]:
        return tuple(change.installed for change in self.changes if change.installed)


# What we put at a path: one version, or after a change that was broken off one of two.
_Ours = Mapping[str, Sequence[InstalledFile]]


def plan_host_files(
    leaving: Iterable[InstalledFile], entering: Iterable[HostFile], *, owners: Mapping[str, str]
) -> HostPlan:
    """Return how the host gets from files of ours to those of a deployment; changes nothing.

    A path may be in leaving twice; the first is what an edit counts as based on. owners says which other
    container a path belongs to. Raises ConflictError when a path is another container's, or something is
    there that must not be replaced.
    """
    ours: dict[str, list[InstalledFile]] = {}
    for installed in leaving:
        ours.setdefault(installed.path, []).append(installed)
    wanted = list(_with_new_versions(entering, ours))
    paths = {file.path for file in wanted}
    changes = [_enter(file, ours.get(file.path, ()), owners) for file in wanted]
    # what is in a directory goes before the directory
    obsolete = sorted(ours.keys() - paths, reverse=True)
    changes += [_leave(path, ours[path]) for path in obsolete]
    return HostPlan(tuple(changes))


def apply_host_files(plan: HostPlan, on_event: OnEvent) -> None:
    """Carry out a plan, each step durably. Raises ConflictError when a file was changed meanwhile."""
    for change in plan.changes:
        _apply(change, on_event)


def _enter(file: HostFile, ours: Sequence[InstalledFile], owners: Mapping[str, str]) -> Change:
    installed = InstalledFile(file.path, file.kind, file.checksum, file.mode)
    if file.path in owners and file.kind is not FileKind.DIRECTORY:
        raise ConflictError(
            f"{file.path} belongs to the container {owners[file.path]}",
            hint=f"uninstall {owners[file.path]}, or give other values with --set",
        )
    present = find_installed(file.path)
    if present is None:
        return Change(Action.CREATE, file.path, present, file, installed)
    if not ours:
        return _enter_foreign(file, present)
    if FileKind.DIRECTORY in {file.kind, present.kind} and file.kind is not present.kind:
        raise _in_the_way(present)
    if present == installed:
        # a mode that only the image has changed arrives; one that the admin has changed stays
        new_mode = file.mode != present.mode and present.mode in {one.mode for one in ours}
        return Change(Action.REPLACE if new_mode else Action.LEAVE, file.path, present, file, installed)
    if present in ours:
        return Change(Action.REPLACE, file.path, present, file, installed)
    return Change(Action.KEEP_CHANGED, file.path, present, file, ours[0])


def _enter_foreign(file: HostFile, present: InstalledFile) -> Change:
    if file.kind is FileKind.DIRECTORY and Path(file.path).is_dir():
        # perhaps a link that the distribution made, as /lib is on merged-usr hosts
        return Change(Action.LEAVE, file.path, present, file)
    if file.kind is not FileKind.DIRECTORY and present.kind is FileKind.FILE:
        return Change(Action.KEEP_FOREIGN, file.path, present, file)
    raise _in_the_way(present)


def _in_the_way(present: InstalledFile) -> ConflictError:
    return ConflictError(
        f"{present.path} is there already, and is a {present.kind}",
        hint=f"move {present.path} away, then try again",
    )


def _leave(path: str, ours: Sequence[InstalledFile]) -> Change:
    present = find_installed(path)
    action = Action.REMOVE if present is None or present in ours else Action.LET_GO
    return Change(action, path, present)


def _with_new_versions(entering: Iterable[HostFile], ours: _Ours) -> Iterator[HostFile]:
    for file in entering:
        yield file
        base = ours.get(file.path)
        if not base or file.kind is FileKind.DIRECTORY or base[0].checksum == file.checksum:
            continue
        present = find_installed(file.path)
        if present not in {None, *base, InstalledFile(file.path, file.kind, file.checksum)}:
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
    return InstalledFile(path, kind, checksum(kind, here), stat.S_IMODE(here.lstat().st_mode))


def _apply(change: Change, on_event: OnEvent) -> None:
    path = Path(change.path)
    match change.action:
        case Action.CREATE | Action.REPLACE:
            _check_unchanged(change)
            assert change.file is not None  # noqa: S101 - for the type checker: these actions carry a file
            _put(change.file, path)
            if change.file.kind is not FileKind.DIRECTORY:
                on_event(Step(f"copied {path}"))
        case Action.REMOVE:
            _check_unchanged(change)
            _remove(path, on_event)
        case Action.KEEP_FOREIGN:
            on_event(Warned(f"{path} was there before: kept, and not managed"))
        case Action.KEEP_CHANGED | Action.LET_GO:
            if not path.is_dir():
                on_event(Step(f"kept {path}: it was changed since it was installed"))
        case Action.LEAVE:
            pass


def _check_unchanged(change: Change) -> None:
    if find_installed(change.path) != change.present:
        raise ConflictError(f"{change.path} was changed at the same moment", hint="try again")


def _put(file: HostFile, path: Path) -> None:
    if file.kind is FileKind.DIRECTORY:
        path.mkdir(exist_ok=True)
        path.chmod(file.mode)
    else:
        temporary = temporary_name(path)
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
