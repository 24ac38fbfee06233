"""Opening the repo; creating it first when there is none.

A repo comes into being by one rename, so a crash never leaves half of one. The predecessor did leave such
halves: a directory without `config` and without objects is redone.
"""

import errno
import os
from pathlib import Path

from os_containers import files, trees
from os_containers.errors import SystemFaultError
from os_containers.faults import next_step
from os_containers.paths import Mode
from os_containers.scratch import locked_directory

_FRESH = f"{files.TEMPORARY_PREFIX}repo"
_MODES = {Mode.SYSTEM: "bare", Mode.USER: "bare-user"}


def require_repo(path: Path, mode: Mode, *, chosen_by: str = "") -> None:
    """Create a repo when there is none; raises SystemFaultError when the one that is there is not for us.

    chosen_by is who says that it is there, empty for nobody.
    """
    another = f"name another directory: {chosen_by or 'repo in config.toml, or OSTREE_REPO'}"
    if not (path / "config").exists():
        _create(path, mode, another)
    _check_owner(path, another)
    _check_mode(path, mode, another)


def require_links(path: Path, state: Path) -> None:
    """Raise SystemFaultError when files of a repo elsewhere cannot be linked into the state.

    Tried, since two places may be of one file system and yet of two mounts.
    """
    link = files.temporary_name(state / "links")
    try:
        link.hardlink_to(path / "config")
    except OSError as error:
        hint = next_step(error)
        if error.errno == errno.EXDEV:
            hint = "keep both on the same file system and mount: repo and checkout-path in config.toml"
        raise SystemFaultError(
            f"files of the repo {path} cannot be linked into {state}: {error.strerror}", hint=hint
        ) from error
    link.unlink()


def without_repo(path: Path) -> str:
    """Return what to do with a repo that is damaged beyond repair."""
    return f"move {path} away, then: os-containers repair, which fetches what containers need"


def _create(path: Path, mode: Mode, another: str) -> None:
    try:
        files.make_directory(path.parent)
        with locked_directory(path.parent):
            if not (path / "config").exists():
                _remove_leftovers(path, another)
                _create_at_once(path, mode)
    except OSError as error:
        raise SystemFaultError(
            f"cannot create the repo {path}: {error.strerror}", hint=next_step(error)
        ) from error


def _create_at_once(path: Path, mode: Mode) -> None:
    fresh = path.with_name(_FRESH)
    fresh.mkdir()
    # only once in the life of a host
    from os_containers.ostree.libostree import create_repo  # noqa: PLC0415

    create_repo(fresh, mode)
    files.sync_file_system(fresh)
    fresh.rename(path)
    files.fsync_directory(path.parent)


def _remove_leftovers(path: Path, another: str) -> None:
    fresh = path.with_name(_FRESH)
    if fresh.exists():
        trees.remove_tree(fresh)
    if not path.exists():
        return
    if not path.is_dir() or any(one.is_file() for one in path.glob("objects/*/*")) or _foreign(path):
        raise SystemFaultError(
            f"{path} is in the way: it is not an OSTree repo",
            hint=f"{another}; or {without_repo(path)}",
        )
    trees.remove_tree(path)


def _foreign(path: Path) -> bool:
    known = {"extensions", "objects", "refs", "state", "tmp", ".lock"}
    return any(one.name not in known for one in path.iterdir())


def _check_owner(path: Path, another: str) -> None:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise SystemFaultError(
            f"the repo {path} belongs to user {owner}, not to {os.geteuid()}",
            hint=another,
        )


def _check_mode(path: Path, mode: Mode, another: str) -> None:
    if _is_as_created(path, mode):
        return
    # whoever changed it may have reasons: libostree knows what it can still take for a repo
    from os_containers.ostree.libostree import Libostree  # noqa: PLC0415 - as above

    if Libostree.open(path, hint=without_repo(path)).mode is not mode:
        raise SystemFaultError(
            f"the repo {path} does not have the mode {_MODES[mode]}",
            hint=another,
        )


def _is_as_created(path: Path, mode: Mode) -> bool:
    lines = (path / "config").read_bytes().splitlines()
    needed = (b"[core]", b"repo_version=1", b"mode=" + _MODES[mode].encode())
    return (path / "objects").is_dir() and all(lines.count(line) == 1 for line in needed)
