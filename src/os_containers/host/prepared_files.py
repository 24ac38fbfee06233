"""Host files put in place, in two steps: all new versions are written beside their places, then only renamed.

So a full or read-only disk shows before the service is stopped, and a reader sees a whole file, old or new.
Old versions stay beside their places until the change is over: the way back only renames, too.
"""

import contextlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath

from os_containers import files
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import HostFile
from os_containers.deployment.record import InstalledFile
from os_containers.errors import ConflictError
from os_containers.events import OnEvent, Step, Warned
from os_containers.faults import tidied_later
from os_containers.host import file_steps
from os_containers.host.host_root import HostRoot
from os_containers.host.hostfiles import Action, Change, HostPlan
from os_containers.host.temporaries import Version, settle, temporary_for

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def prepare_host_files(plan: HostPlan, container: str) -> Iterator["PreparedFiles"]:
    """Write the new versions of a plan beside their places; what is there at the end is removed.

    Raises SystemFaultError when the host has no room for them; nothing has changed then.
    """
    prepared = PreparedFiles(container, plan.root)
    try:
        for change in plan.changes:
            prepared.add(change)
        yield prepared
    finally:
        prepared.discard()


def nothing_prepared(
    container: str, *, root: HostRoot | None = None
) -> AbstractContextManager["PreparedFiles"]:
    """Give what a plan is applied with that nobody had the time to prepare."""
    return prepare_host_files(HostPlan((), root or HostRoot()), container)


def apply_host_files(plan: HostPlan, prepared: "PreparedFiles", on_event: OnEvent) -> None:
    """Carry out a plan, each step durably.

    It may be a newer plan than the one that was prepared: what differs is written now. A file that was
    changed even after the plan stays as it is. Raises ConflictError when something is by now where nothing
    was.
    """
    for change in plan.changes:
        prepared.apply(change, on_event)


def step_of(change: Change) -> Step | Warned | None:
    """Return what is told of a change that is made as it was planned."""
    file, present = change.file, change.present
    match change.action:
        case Action.CREATE | Action.REPLACE if file and file.kind is not FileKind.DIRECTORY:
            return Step(f"copied {_shown(file)}")
        case Action.REMOVE if present and present.kind is not FileKind.DIRECTORY:
            return Step(f"file {change.path} deleted")
        case Action.KEEP_FOREIGN:
            return Warned(f"{change.path} was there before: kept, and not managed")
        case Action.KEEP_CHANGED | Action.LET_GO:
            return _kept(change.path)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A version of a file, and the directory and name where it waits."""

    file: HostFile | InstalledFile
    directory: str
    name: str


class PreparedFiles:
    """New versions of host files that wait beside their places, and old ones that have retired there."""

    def __init__(self, container: str, root: HostRoot) -> None:
        self._container = container
        self._root = root
        self._waiting: dict[str, _Waiting] = {}
        self._retired: dict[str, _Waiting] = {}
        self._known: set[Version] = set()

    def add(self, change: Change) -> None:
        """Write what a change will put in place, if it does."""
        file = change.file
        if file is None or file.kind is FileKind.DIRECTORY:
            return
        if change.action in {Action.CREATE, Action.REPLACE}:
            self._write(change, file)

    def apply(self, change: Change, on_event: OnEvent) -> None:
        """Make one change of a plan."""
        step = step_of(change) if self._is_made(change) else _kept(change.path)
        if step:
            on_event(step)

    def _is_made(self, change: Change) -> bool:
        """Make a change, and say so; False when somebody has changed the file since it was planned."""
        file, present = change.file, change.present
        match change.action:
            case Action.CREATE | Action.REPLACE if file and file.kind is FileKind.DIRECTORY:
                self._put_directory(file, present)
            case Action.CREATE | Action.REPLACE if file:
                return self._put(change, file)
            case Action.REMOVE if present and present.kind is FileKind.DIRECTORY:
                self._remove_directory(change.path)
            case Action.REMOVE if present:
                return self._remove(present)
            case _:
                pass
        return True

    def names(self) -> set[str]:
        """Return the names of what waits and of what has retired."""
        return {one.name for one in (*self._waiting.values(), *self._retired.values())}

    def discard(self) -> bool:
        """Remove what waits or has retired, and say if all is gone.

        What cannot be removed is told, and left to the next command: it must find the deployments, which say
        what of it is ours.
        """
        is_all_gone = True
        for place in (self._waiting, self._retired):
            for path in list(place):
                try:
                    self._discard(path, place)
                except OSError as error:
                    logger.warning("warning: %s", tidied_later(error))
                    is_all_gone = False
        return is_all_gone

    def _discard(self, path: str, place: dict[str, _Waiting]) -> None:
        waiting = place.pop(path)
        # who takes the directory away takes along what waits in it
        with (
            contextlib.suppress(ConflictError, FileNotFoundError),
            self._root.directory(waiting.directory) as directory_fd,
        ):
            settle(waiting.name, directory_fd, path, waiting.directory, self._known)

    def _write(self, change: Change, file: HostFile) -> _Waiting:
        parent, _ = _split(change.path)
        # a directory that is still missing will be on the file system of the one above it
        directory = self._root.existing_directory(parent)
        waiting = _Waiting(file, directory, temporary_for(self._container, change.path))
        self._waiting[change.path] = waiting
        self._known |= {Version.of(one) for one in (file, change.present) if one}
        with self._root.directory(directory) as directory_fd:
            file_steps.write_file(file, waiting.name, directory_fd)
        return waiting

    def _put(self, change: Change, file: HostFile) -> bool:
        """Say whether the new version is in place; if not, somebody has changed the old one."""
        parent, name = _split(change.path)
        waiting = self._usable(change, file, parent) or self._write(change, file)
        with (
            self._root.directory(waiting.directory) as waiting_fd,
            self._root.directory(parent) as directory_fd,
        ):
            if change.present is None:
                file_steps.create(waiting.name, waiting_fd, name, directory_fd, change.path)
            elif not file_steps.replace(waiting.name, name, directory_fd, change.present):
                return False
            del self._waiting[change.path]
            if change.present and files.is_there(waiting.name, waiting_fd):
                self._retire(change.present, parent, waiting.name)
        return True

    def _usable(self, change: Change, file: HostFile, parent: str) -> _Waiting | None:
        """Return what waits to be put in place, or has retired and comes back."""
        path = change.path
        retired = self._retired.get(path)
        if retired and retired.directory == parent and Version.of(retired.file) == Version.of(file):
            if path in self._waiting:
                self._discard(path, self._waiting)
            self._waiting[path] = self._retired.pop(path)
            return self._waiting[path]
        waiting = self._waiting.get(path)
        if waiting and (waiting.file != file or (change.present and waiting.directory != parent)):
            self._discard(path, self._waiting)
            return None
        return waiting

    def _retire(self, present: InstalledFile, directory: str, name: str) -> None:
        if present.path in self._retired:
            self._discard(present.path, self._retired)
        self._known.add(Version.of(present))
        self._retired[present.path] = _Waiting(present, directory, name)

    def _put_directory(self, file: HostFile, present: InstalledFile | None) -> None:
        parent, name = _split(file.path)
        with self._root.directory(parent) as directory_fd:
            if present is None:
                temporary = temporary_for(self._container, file.path)
                file_steps.create_directory(file, temporary, name, directory_fd)
            else:
                file_steps.set_directory_mode(file, name, directory_fd)

    def _remove(self, present: InstalledFile) -> bool:
        parent, name = _split(present.path)
        temporary = temporary_for(self._container, present.path)
        try:
            with self._root.directory(parent) as directory_fd:
                if not file_steps.take_away(name, temporary, directory_fd, present):
                    return False
        except FileNotFoundError:
            return True
        self._retire(present, parent, temporary)
        return True

    def _remove_directory(self, path: str) -> None:
        for place in (self._waiting, self._retired):
            for inside in [one for one, waiting in place.items() if waiting.directory == path]:
                self._discard(inside, place)
        parent, name = _split(path)
        with contextlib.suppress(FileNotFoundError), self._root.directory(parent) as directory_fd:
            file_steps.remove_directory(name, directory_fd)


def _split(path: str) -> tuple[str, str]:
    whole = PurePosixPath(path)
    return str(whole.parent), whole.name


def _shown(file: HostFile) -> str:
    return f"{file.path} -> {file.rendered.readlink()}" if file.kind is FileKind.SYMLINK else file.path


def _kept(path: str) -> Step:
    return Step(f"kept {path}: it was changed since it was installed")
