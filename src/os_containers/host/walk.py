"""Where a path really is: the links on the way, and which of them are to be trusted."""

import contextlib
import os
import stat
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Self

from os_containers.errors import ConflictError

LINK_LIMIT = 40
_WRITABLE_BY_OTHERS = 0o022


def no_directory(way: PurePosixPath) -> ConflictError:
    """Return the error for a path that leads through something else."""
    return ConflictError(f"{way} is not a directory", hint=f"move {way} away, then try again")


class Walk:
    """A way from the root down, which may lead through trusted links, and never above the root."""

    def __init__(self, root: Path, distrusted: Collection[str]) -> None:
        self._root = root
        self._distrusted = distrusted
        self._opened: list[int] = []
        self._names: list[str] = []
        self._missing: list[str] = []
        self._links = 0

    def __enter__(self) -> Self:
        self._opened.append(os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._opened:
            os.close(descriptor)

    @property
    def where(self) -> str:
        return "/" + "/".join((*self._names, *self._missing))

    def go(self, path: str) -> None:
        """Go on along a path; one that is absolute starts at the root again."""
        if path.startswith("/"):
            self._up_to_root()
        for part in PurePosixPath(path).parts:
            if part == "..":
                self._up()
            elif part != "/":
                self._down(part)

    def _up_to_root(self) -> None:
        while self._missing or self._names:
            self._up()

    def _up(self) -> None:
        if self._missing:
            self._missing.pop()
        elif self._names:
            self._names.pop()
            os.close(self._opened.pop())

    def _down(self, part: str) -> None:
        if self._missing:
            self._missing.append(part)
            return
        try:
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._opened[-1])
        except FileNotFoundError:
            self._missing.append(part)
            return
        mode = os.fstat(inner).st_mode
        if stat.S_ISDIR(mode):
            self._opened.append(inner)
            self._names.append(part)
            return
        with contextlib.ExitStack() as closed:
            closed.callback(os.close, inner)
            way = PurePosixPath(self.where, part)
            if not stat.S_ISLNK(mode):
                raise no_directory(way)
            self._follow(inner, way)

    def _follow(self, link: int, way: PurePosixPath) -> None:
        self._links += 1
        if self._links > LINK_LIMIT:
            raise ConflictError(f"{way}: too many symlinks, or a loop of them", hint=f"see where {way} leads")
        target = os.readlink("", dir_fd=link)
        if str(way) in self._distrusted:
            raise ConflictError(
                f"{way} is a symlink that a container brought (to {target!a})",
                hint="no file is installed through such a link; choose another place with --set",
            )
        if not self._is_trusted(link):
            raise ConflictError(
                f"{way} is a symlink that users other than root may have made (to {target!a})",
                hint=f"make {way} a directory, or let only root own and change the link and its directory",
            )
        self.go(target)

    def _is_trusted(self, link: int) -> bool:
        directory = os.fstat(self._opened[-1])
        ours = {0, os.geteuid()}
        return (
            os.fstat(link).st_uid in ours
            and directory.st_uid in ours
            and not directory.st_mode & _WRITABLE_BY_OTHERS
        )
