"""The labels that files get where SELinux is on; where it is off, nothing is asked and nothing is set.

- What we put on the host gets what the policy says of its path, as restorecon(8) would give it: it is written
  under another name first, and of a new directory the one above says little.
- Images have no labels of their own here: one that a layer brings is passed over, since it belongs to the
  policy of another machine. An object of the repo is a hard link shared by all deployments, in whatever
  place, so it cannot have the label of a path. All get the one label that the policy has for what containers
  read and run (`ro_file` in lxc_contexts(5); container_ro_file_t), by inheritance from the directories in
  which they are made. It is no part of an object's checksum: that says what was pulled, on every host.
- The top of a rootfs has the label of /, as with atomic.
- The process has the label that the image's config.json asks for; without one the policy has its say:
  container-selinux lets what a runtime starts from such files be spc_t, the domain of privileged containers.
"""

import ctypes
import errno
import functools
import logging
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from os_containers import files

logger = logging.getLogger(__name__)

LABEL = "security.selinux"
_LIBRARY = "libselinux.so.1"
_IMAGES = re.compile(rb'^\s*ro_file\s*=\s*"?([^"\s]+)', re.MULTILINE)
# selabel_open(3)
_SELABEL_CTX_FILE = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """The label for a path of the host and a kind of file (stat.S_IFREG), and that of all files of images."""

    of: Callable[[str, int], bytes | None]
    of_images: Callable[[], bytes | None]

    def give(self, file: Path, place: str | Path) -> None:
        """Give a file that was made under another name the label of its place."""
        give_label(str(file), self.of(str(place), stat.S_IFMT(file.lstat().st_mode)))


NO_LABELS = Labels(lambda _path, _kind: None, lambda: None)


def is_on(sys: Path = Path("/sys")) -> bool:
    """Tell whether the kernel runs SELinux, permissive or enforcing."""
    return (sys / "fs/selinux/enforce").exists()


@functools.cache
def host_labels() -> Labels:
    """Return the labels of the host's policy, which is read when the first is asked for."""
    if not is_on():
        return NO_LABELS
    return Labels(lambda path, kind: _policy().of(path, kind), lambda: _policy().of_images())


@functools.cache
def _policy() -> Labels:
    """Return what is read once for all questions; a policy that cannot be read is told, and says nothing."""
    try:
        return _read_policy()
    except (OSError, AttributeError) as error:
        logger.warning(
            "warning: SELinux is on, but its policy cannot be read: %s; new files have the labels of their"
            " directories until restorecon(8) is run",
            error,
        )
        return NO_LABELS


def give_label(file: int | str, label: bytes | None) -> None:
    """Give an open file, or what has a name, a label, if there is one; that it fails is only told."""
    # a descriptor cannot be given with follow_symlinks
    follow = isinstance(file, int)
    try:
        if label and _label_of(file) != label:
            os.setxattr(file, LABEL, label + b"\0", follow_symlinks=follow)
    except OSError as error:
        # where one label is for a whole file system there is nothing to do
        if error.errno != errno.ENOTSUP:
            logger.warning("warning: %s gets no SELinux label: %s", _name(file), error.strerror)


def make_directory(directory: Path, labels: Labels, *, mode: int = 0o755) -> None:
    """Create a directory and its missing parents, durably, each with its label before the next."""
    missing = [one for one in (directory, *directory.parents) if not os.path.lexists(one)]
    for one in reversed(missing):
        for made in files.make_directory(one, mode=mode if one == directory else 0o755):
            labels.give(made, made)


def _label_of(file: int | str) -> bytes:
    try:
        return os.getxattr(file, LABEL, follow_symlinks=isinstance(file, int)).rstrip(b"\0")
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return b""


def _name(file: int | str) -> str:
    # what the kernel knows of an open file
    return os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else file  # noqa: PTH115


def _read_policy() -> Labels:
    library = ctypes.CDLL(_LIBRARY, use_errno=True)
    library.selabel_open.argtypes = (ctypes.c_uint, ctypes.c_void_p, ctypes.c_uint)
    library.selabel_open.restype = ctypes.c_void_p
    library.selabel_lookup_raw.argtypes = (
        ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_int,
    )  # fmt: skip
    library.freecon.argtypes = (ctypes.c_void_p,)
    library.selinux_lxc_contexts_path.restype = ctypes.c_char_p
    handle = library.selabel_open(_SELABEL_CTX_FILE, None, 0)
    if not handle:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

    def look_up(path: str, kind: int) -> bytes | None:
        found = ctypes.c_void_p()
        # nothing is said of it, or <<none>>
        if library.selabel_lookup_raw(handle, ctypes.byref(found), os.fsencode(path), kind) != 0:
            return None
        try:
            return ctypes.string_at(found)
        finally:
            library.freecon(found)

    contexts = Path(os.fsdecode(library.selinux_lxc_contexts_path()))
    return Labels(look_up, lambda: label_of_images(contexts))


def label_of_images(contexts: Path) -> bytes | None:
    """Return what lxc_contexts says of files that all containers may read; None when it says nothing."""
    try:
        found = _IMAGES.search(contexts.read_bytes())
    except FileNotFoundError:
        return None
    return found[1] if found else None
