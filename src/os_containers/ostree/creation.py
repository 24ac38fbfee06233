"""Opening the repo; creating it first when there is none.

A repo comes into being by one rename, so a crash never leaves half of one. The predecessor did leave such
halves: a directory without `config` and without objects is redone.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.errors import BrokenError, OsContainersError, SystemFaultError
from os_containers.faults import next_step
from os_containers.ostree.gi import Gio, GLib, OSTree, translate_errors
from os_containers.paths import Mode
from os_containers.scratch import locked_directory

_MODES = {Mode.SYSTEM: OSTree.RepoMode.BARE, Mode.USER: OSTree.RepoMode.BARE_USER}
_KEY_FILE = "g-key-file-error-quark"
_FRESH = f"{files.TEMPORARY_PREFIX}repo"
_MODE_NAMES = {Mode.SYSTEM: "bare", Mode.USER: "bare-user"}


def open_repo(path: Path, mode: Mode) -> OSTree.Repo:
    """Return the repo at path, created when there is none; raises SystemFaultError when it is not for us."""
    if not (path / "config").exists():
        _create(path, mode)
    _check_owner(path)
    repo = OSTree.Repo.new(Gio.File.new_for_path(os.fspath(path)))
    with _explained(path), translate_errors(f"open the repo {path}"):
        repo.open(None)
    if repo.get_mode() != _MODES[mode]:
        raise SystemFaultError(
            f"the repo {path} is not of the mode {_MODE_NAMES[mode]}",
            hint="set OSTREE_REPO to another directory",
        )
    return repo


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say how to get on without a repo that is damaged; one of a newer version, or an I/O error, is not."""
    try:
        yield
    except OsContainersError as error:
        is_garbled = isinstance(error.__cause__, GLib.Error) and error.__cause__.domain == _KEY_FILE
        if not is_garbled and not isinstance(error, BrokenError):
            raise
        raise BrokenError(error.message, hint=without_repo(path)) from error


def without_repo(path: Path) -> str:
    """Return what to do with a repo that is damaged beyond repair."""
    return f"move {path} away, then: os-containers repair, which fetches what containers need"


def _create(path: Path, mode: Mode) -> None:
    try:
        files.make_directory(path.parent)
        with locked_directory(path.parent):
            if not (path / "config").exists():
                _remove_leftovers(path)
                _create_at_once(path, mode)
    except OSError as error:
        raise SystemFaultError(
            f"cannot create the repo {path}: {error.strerror}", hint=next_step(error)
        ) from error


def _create_at_once(path: Path, mode: Mode) -> None:
    fresh = path.with_name(_FRESH)
    fresh.mkdir()
    with translate_errors(f"create the repo {path}"):
        OSTree.Repo.new(Gio.File.new_for_path(os.fspath(fresh))).create(_MODES[mode], None)
    files.sync_file_system(fresh)
    fresh.rename(path)
    files.fsync_directory(path.parent)


def _remove_leftovers(path: Path) -> None:
    fresh = path.with_name(_FRESH)
    if fresh.exists():
        files.remove_tree(fresh)
    if not path.exists():
        return
    if not path.is_dir() or any(one.is_file() for one in path.glob("objects/*/*")) or _foreign(path):
        raise SystemFaultError(
            f"{path} is in the way: it is not an OSTree repo",
            hint=f"set OSTREE_REPO, or {without_repo(path)}",
        )
    files.remove_tree(path)


def _foreign(path: Path) -> bool:
    known = {"extensions", "objects", "refs", "state", "tmp", ".lock"}
    return any(one.name not in known for one in path.iterdir())


def _check_owner(path: Path) -> None:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise SystemFaultError(
            f"the repo {path} belongs to user {owner}, not to {os.geteuid()}",
            hint="set OSTREE_REPO to a directory of your own",
        )
