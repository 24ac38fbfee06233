"""What becomes of the host's files when a deployment enters: a plan, which changes nothing.

What was there before us stays and is never ours. A file of ours that somebody changed stays too; if the image
has a newer version of it, that is put beside it as PATH.os-containers-new. prepared_files.py carries it out.
"""

import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile
from os_containers.deployment.record import InstalledFile
from os_containers.errors import AUTHOR, ConflictError
from os_containers.host.host_root import HostRoot

NEW_SUFFIX = ".os-containers-new"
_TYPES = {
    FileKind.DIRECTORY: stat.S_IFDIR,
    FileKind.FILE: stat.S_IFREG,
    FileKind.SYMLINK: stat.S_IFLNK,
}


class Action(Enum):
    """What happens to one path of the host."""

    CREATE = "create"
    REPLACE = "replace"
    LEAVE = "leave"
    KEEP_FOREIGN = "keep what is not ours"
    KEEP_CHANGED = "keep what was changed"
    REMOVE = "remove"
    LET_GO = "let go of what was changed"
    # a directory with what is not ours; found only when all of ours in it has gone
    KEEP_FILLED = "keep what is not empty"


@dataclass(frozen=True, slots=True)
class Change:
    """One real path, what is there, what happens to it, and what is there afterwards that is ours."""

    action: Action
    path: str
    present: InstalledFile | None
    file: HostFile | None = None
    installed: InstalledFile | None = None

    @property
    def changes_host(self) -> bool:
        if self.action is Action.REMOVE:
            return self.present is not None
        return self.action in {Action.CREATE, Action.REPLACE}


@dataclass(frozen=True, slots=True)
class HostPlan:
    """All changes, in the order in which they are made."""

    changes: tuple[Change, ...]
    root: HostRoot

    @property
    def installed(self) -> tuple[InstalledFile, ...]:
        return tuple(change.installed for change in self.changes if change.installed)


def plan_host_files(
    leaving: Iterable[InstalledFile],
    entering: Iterable[HostFile],
    *,
    owners: Mapping[str, str],
    shared: Collection[str] = (),
    brought: Collection[str] = (),
    left_out: Collection[str] = (),
    root: HostRoot | None = None,
) -> HostPlan:
    """Return how the host gets from files of ours to those of a deployment; changes nothing.

    A path may be in leaving twice; the first is what an edit counts as based on. owners says which other
    container a path belongs to; a directory may be shared with others, and goes with the last of them.
    What a package has brought by now is not removed, and does not become ours. Entering files that are
    left out do not enter. Raises ConflictError when a path is another container's, or something is there
    that must not be replaced.
    """
    leaving = list(leaving)
    links = [file.path for file in leaving if file.kind is FileKind.SYMLINK]
    planner = _Planner((root or HostRoot()).distrusting((*owners, *links)), owners, shared, brought)
    return planner.plan(leaving, entering, left_out)


# What we put at a path: one version, or after a change that was broken off one of two.
_Ours = Mapping[str, Sequence[InstalledFile]]


@dataclass(frozen=True, slots=True)
class _Planner:
    """Decides about one path after the other, by what is there now."""

    root: HostRoot
    owners: Mapping[str, str]
    shared: Collection[str]
    brought: Collection[str]

    def plan(
        self, leaving: Iterable[InstalledFile], entering: Iterable[HostFile], left_out: Collection[str]
    ) -> HostPlan:
        ours, lost = self._ours(leaving)
        entering = [file for file in self._with_real_paths(entering) if file.path not in left_out]
        wanted = list(self._with_new_versions(entering, ours))
        changes = [self._enter(file, ours.get(file.path, ())) for file in wanted]
        # what is in a directory goes before the directory
        obsolete = sorted(ours.keys() - {file.path for file in wanted}, reverse=True)
        changes += [self._leave(path, ours[path]) for path in obsolete]
        changes += [Change(Action.LET_GO, path, None) for path in lost]
        return HostPlan(tuple(changes), self.root)

    def _ours(self, leaving: Iterable[InstalledFile]) -> tuple[_Ours, list[str]]:
        """Return what of ours is at which real path, and what somebody has put behind a link or a file."""
        ours: dict[str, list[InstalledFile]] = {}
        lost: dict[str, None] = {}
        for installed in leaving:
            try:
                real = self.root.real_path(installed.path)
            except ConflictError:
                lost[installed.path] = None
            else:
                ours.setdefault(real, []).append(replace(installed, path=real))
        return ours, list(lost)

    def _with_real_paths(self, entering: Iterable[HostFile]) -> list[HostFile]:
        wanted: dict[str, HostFile] = {}
        for file in entering:
            real = self._at(file, self.root.real_path(file.path))
            first = wanted.setdefault(real.path, real)
            if first is not real and FileKind.DIRECTORY not in {first.kind, real.kind}:
                raise ConflictError(
                    f"two host files of the image are the same file on this host: {file.path} is {real.path}",
                    hint=AUTHOR,
                )
        return list(wanted.values())

    def _enter(self, file: HostFile, ours: Sequence[InstalledFile]) -> Change:
        installed = InstalledFile(file.path, file.kind, file.checksum, file.mode)
        if file.path in self.owners:
            owner = self.owners[file.path]
            raise ConflictError(
                f"{file.path} belongs to the container {owner}",
                hint=f"uninstall {owner}, or give other values with --set",
            )
        present = self.root.find(file.path)
        if present is None:
            return Change(Action.CREATE, file.path, present, file, installed)
        moved = file.kind is FileKind.DIRECTORY and present.kind is FileKind.SYMLINK
        if not ours or moved:
            return self._enter_foreign(file, present, installed)
        if FileKind.DIRECTORY in {file.kind, present.kind} and file.kind is not present.kind:
            raise _in_the_way(present)
        modes = {one.mode for one in ours}
        if present == installed:
            # a mode that only the image has changed arrives; one that the admin has changed stays
            new_mode = file.mode != present.mode and present.mode in modes
            version = _with_owner(file, present)
            return Change(
                Action.REPLACE if new_mode else Action.LEAVE, file.path, present, version, installed
            )
        if present in ours:
            version = _with_owner(file, present)
            if present.mode not in modes and present.kind is file.kind:
                version = replace(version, mode=present.mode)
            return Change(Action.REPLACE, file.path, present, version, installed)
        return Change(Action.KEEP_CHANGED, file.path, present, file, ours[0])

    def _enter_foreign(self, file: HostFile, present: InstalledFile, installed: InstalledFile) -> Change:
        if file.kind is FileKind.DIRECTORY and self._is_directory(present):
            shared = installed if file.path in self.shared else None
            return Change(Action.LEAVE, file.path, present, file, shared)
        if file.kind is not FileKind.DIRECTORY and present.kind is FileKind.FILE:
            return Change(Action.KEEP_FOREIGN, file.path, present, file)
        raise _in_the_way(present)

    def _is_directory(self, present: InstalledFile) -> bool:
        """Say whether it is one, perhaps by a link that the distribution made, as /lib is on merged-usr."""
        if present.kind is FileKind.SYMLINK:
            real = self.root.find(self.root.real_directory(present.path))
            return real is not None and real.kind is FileKind.DIRECTORY
        return present.kind is FileKind.DIRECTORY

    def _leave(self, path: str, ours: Sequence[InstalledFile]) -> Change:
        try:
            present = self.root.find(path)
        except ConflictError:
            return Change(Action.LET_GO, path, None)
        if path in self.shared or path in self.brought:
            return Change(Action.LEAVE, path, present)
        action = Action.REMOVE if present is None or present in ours else Action.LET_GO
        return Change(action, path, present)

    def _with_new_versions(self, entering: Iterable[HostFile], ours: _Ours) -> Iterator[HostFile]:
        for file in entering:
            yield file
            base = ours.get(file.path)
            if not base or file.kind is FileKind.DIRECTORY or base[0].checksum == file.checksum:
                continue
            present = self.root.find(file.path)
            if present not in {None, *base, InstalledFile(file.path, file.kind, file.checksum)}:
                yield self._at(file, file.path + NEW_SUFFIX)

    def _at(self, file: HostFile, path: str) -> HostFile:
        return replace(file, path=path, label=self.root.labels.of(path, _TYPES[file.kind]))


def _with_owner(file: HostFile, present: InstalledFile) -> HostFile:
    return replace(file, uid=present.uid, gid=present.gid)


def _in_the_way(present: InstalledFile) -> ConflictError:
    return ConflictError(
        f"{present.path} already exists, and is a {present.kind}",
        hint=f"move {present.path} away, then try again",
    )
