"""Opening the repo; creating it first when there is none.

A repo comes into being by one rename, so a crash never leaves half of one. The predecessor did leave such
halves: a directory without `config` and without objects is redone.
"""

import os
from pathlib import Path

from os_containers import files
from os_containers.errors import SystemFaultError
from os_containers.faults import next_step
from os_containers.ostree.gi import Gio, OSTree, translate_errors
from os_containers.paths import Mode
from os_containers.scratch import locked_directory

_MODES = {Mode.SYSTEM: OSTree.RepoMode.BARE, Mode.USER: OSTree.RepoMode.BARE_USER}
_FRESH = f"{files.TEMPORARY_PREFIX}repo"
_MODE_NAMES = {Mode.SYSTEM: "bare", Mode.USER: "bare-user"}


def open_repo(path: Path, mode: Mode) -> OSTree.Repo:
    """Return the repo at path, created when there is none; raises SystemFaultError when it is not for us."""
    if not (path / "config").exists():
        _create(path, mode)
    _check_owner(path)
    repo = OSTree.Repo.new(Gio.File.new_for_path(os.fspath(path)))
    with translate_errors(f"open the repo {path}"):
        repo.open(None)
    if repo.get_mode() != _MODES[mode]:
        raise SystemFaultError(
            f"the repo {path} is not of the mode {_MODE_NAMES[mode]}",
            hint="set OSTREE_REPO to another directory",
        )
    return repo


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
            f"{path} is in the way: it is not an OSTree repo", hint="move it away, or set OSTREE_REPO"
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
