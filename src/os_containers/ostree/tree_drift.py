"""What has become of a directory of hard links: each entry against the tree that it was made of."""

import contextlib
import filecmp
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from os_containers import files, trees
from os_containers.ostree.formats import kept_symlink, kept_xattrs
from os_containers.ostree.links import give_attributes, link_file, link_tree
from os_containers.ostree.objects import IMPLIED_CHECKSUM, object_path, read_dirmeta
from os_containers.ostree.tree import Directory
from os_containers.paths import Mode
from os_containers.selinux import host_labels


class Drift(Enum):
    """How an entry differs."""

    FILE = "a file or symlink is missing, or another one"
    DIRECTORY = "a directory is missing"
    ATTRIBUTES = "a directory has another owner or mode"
    LEFT = "a repair that was killed left this"
    IN_THE_WAY = "something is where a file or directory belongs"
    ADDED = "something is there that the tree does not have"

    @property
    def is_mendable(self) -> bool:
        """Tell whether it can be as it was without taking anything away that is not ours."""
        return self not in (Drift.IN_THE_WAY, Drift.ADDED)


@dataclass(frozen=True, slots=True)
class Drifted:
    """An entry that differs: its path, and the directory of the tree that it is or should be in."""

    path: Path
    drift: Drift
    directory: Directory


def find_drift(repo: Path, mode: Mode, root: Directory, top: Path) -> Iterator[Drifted]:
    """Yield what is no more as link_tree made it, parents first; nothing when top is not there.

    Empty files and directories may have been added: runtimes make them to mount something there, and what
    belongs into /dev. Of a file without an object nothing is said.
    """
    pending = [(top, root)] if top.is_dir() else []
    while pending:
        here, directory = pending.pop()
        if not _has_attributes(repo, mode, directory, here):
            yield Drifted(here, Drift.ATTRIBUTES, directory)
        try:
            with os.scandir(here) as entries:
                found = {entry.name: entry for entry in entries}
        except PermissionError:
            continue  # its mode was told
        yield from _files(repo, mode, directory, here, found)
        for name, inner in directory.directories.items():
            entry = found.get(name)
            if entry and entry.is_dir(follow_symlinks=False):
                pending.append((here / name, inner))
            else:
                yield Drifted(here / name, Drift.IN_THE_WAY if entry else Drift.DIRECTORY, directory)
        for name in found.keys() - directory.files.keys() - directory.directories.keys():
            if name.startswith(files.TEMPORARY_PREFIX):
                yield Drifted(here / name, Drift.LEFT, directory)
            elif not (here / name).is_relative_to(top / "dev") and not _is_mount_point(here / name):
                yield Drifted(here / name, Drift.ADDED, directory)


def mend_drift(repo: Path, mode: Mode, drifted: Drifted) -> None:
    """Let what can be mended be as it was; whoever has the other file open keeps it."""
    path, directory = drifted.path, drifted.directory
    match drifted.drift:
        case Drift.FILE:
            temporary = files.temporary_name(path)
            link_file(repo, mode, directory.files[path.name], temporary)
            temporary.rename(path)
        case Drift.DIRECTORY:
            temporary = files.temporary_name(path)
            label = host_labels().of_images()
            link_tree(repo, mode, directory.directories[path.name], temporary, label=label)
            temporary.rename(path)
        case Drift.ATTRIBUTES:
            give_attributes(repo, mode, directory, path)
        case Drift.LEFT:
            path.unlink() if path.is_symlink() or not path.is_dir() else trees.remove_tree(path)
        case Drift.IN_THE_WAY | Drift.ADDED:
            pass


def _files(
    repo: Path, mode: Mode, directory: Directory, here: Path, found: Mapping[str, "os.DirEntry[str]"]
) -> Iterator[Drifted]:
    for name, checksum in directory.files.items():
        entry = found.get(name)
        if entry and entry.is_dir(follow_symlinks=False):
            yield Drifted(here / name, Drift.IN_THE_WAY, directory)
        elif not _is_as_made(mode, entry, object_path(repo, f"{checksum}.file")):
            yield Drifted(here / name, Drift.FILE, directory)


def _is_as_made(mode: Mode, entry: "os.DirEntry[str] | None", there: str) -> bool:
    """Tell whether a file is what an object says; also where that cannot tell, which the store does."""
    try:
        object_ = os.lstat(there)
    except FileNotFoundError:
        return True
    # true of all but a few of thousands; the status of an entry is kept
    if entry and os.path.samestat(entry.stat(follow_symlinks=False), object_):
        return True
    if not _is_object(mode, there, object_):
        return True
    return entry is not None and _is_equal(mode, entry, there, object_)


def _is_object(mode: Mode, path: str, status: os.stat_result) -> bool:
    kind = stat.S_IFMT(status.st_mode)
    if mode is Mode.USER:
        return kind == stat.S_IFREG and "user.ostreemeta" in os.listxattr(path)
    return kind in {stat.S_IFREG, stat.S_IFLNK}


def _is_equal(mode: Mode, entry: "os.DirEntry[str]", there: str, object_: os.stat_result) -> bool:
    """Tell whether another file is as good as a link: there may have been too many for one more."""
    here, ours = Path(entry.path), entry.stat(follow_symlinks=False)
    target = kept_symlink(there) if mode is Mode.USER else None
    if target is not None:
        return stat.S_ISLNK(ours.st_mode) and str(here.readlink()) == target
    return _attributes(ours) == _attributes(object_) and _has_content(here, Path(there))


def _has_content(here: Path, there: Path) -> bool:
    if here.is_symlink():
        return here.readlink() == there.readlink()
    return kept_xattrs(here) == kept_xattrs(there) and filecmp.cmp(here, there, shallow=False)


def _attributes(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


def _has_attributes(repo: Path, mode: Mode, directory: Directory, here: Path) -> bool:
    meta, status = read_dirmeta(repo, directory.meta or IMPLIED_CHECKSUM), here.lstat()
    if stat.S_IMODE(meta.mode) != stat.S_IMODE(status.st_mode):
        return False
    return mode is Mode.USER or (meta.uid, meta.gid) == (status.st_uid, status.st_gid)


def _is_mount_point(path: Path) -> bool:
    """Tell whether nothing but empty files and directories is here; not where we may not look."""
    pending = [path]
    with contextlib.suppress(OSError):
        while pending:
            here = pending.pop()
            status = here.lstat()
            if stat.S_ISDIR(status.st_mode):
                pending += here.iterdir()
            elif status.st_size or not stat.S_ISREG(status.st_mode):
                return False
        return True
    return False
