"""The files of a package, laid out below a directory as they will be on a host."""

import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from os_containers import files, trees
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import CAPABILITIES, HostFile, load_host_tree
from os_containers.errors import AUTHOR, ImageError
from os_containers.host.unit import DROP_IN, directories_of
from os_containers.packages.facts import BUNDLES, OVERRIDES, TMPFILES, UNITS

# what dpkg-deb reads about the package
CONTROL = "DEBIAN"
# Directories that are on every host, and not ours.
COMMON = frozenset(
    {"/", "/etc", "/opt", "/srv", "/usr", "/usr/local", "/var"}
    | {
        f"{top}/{name}"
        for top in ("/usr", "/usr/local")
        for name in ("bin", "lib", "libexec", "sbin", "share")
    }
    | {
        f"/etc/{name}"
        for name in ("cron.d", "profile.d", "sysconfig", "systemd", "systemd/system", "tmpfiles.d")
    }
    | {f"/var/{name}" for name in ("cache", "lib", "log", "spool")}
    | {f"/usr/lib/{name}" for name in ("containers", "systemd", "systemd/system", "tmpfiles.d")}
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A file of the rootfs that is not root's."""

    path: str
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True)
class Contents:
    """Where the files are, and what a packaging format must be told of them."""

    top: Path
    container: str
    files: tuple[str, ...]
    directories: tuple[str, ...]
    configuration: tuple[str, ...]
    # what tmpfiles.d makes for the container alone, inner ones first
    made_later: tuple[str, ...]
    has_service: bool

    @property
    def bundle(self) -> Path:
        """The bundle of the container, on the host."""
        return BUNDLES / self.container

    @property
    def service(self) -> str:
        """The name of the unit."""
        return f"{self.container}.service"

    @property
    def tmpfiles(self) -> str:
        """The name of the tmpfiles.d fragment; nothing when there is none."""
        name = f"{self.container}.conf"
        return name if str(TMPFILES / name) in self.files else ""

    @property
    def override(self) -> Path:
        """What is on a host where an update by os-containers has taken the place of the package's service."""
        return OVERRIDES / f"{self.service}.d" / DROP_IN

    def foreign(self) -> Iterator[Owned]:
        """Give the files of the rootfs that are not root's."""
        rootfs = below(self.top, self.bundle / "rootfs")
        for directory, names, plain in os.walk(rootfs):
            for path in (Path(directory, name) for name in (*names, *plain)):
                status = path.lstat()
                if (status.st_uid, status.st_gid) != (0, 0):
                    place = str(self.bundle / "rootfs" / path.relative_to(rootfs))
                    yield Owned(place, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))

    def clean_up(self) -> str:
        """Return the commands that remove what was made since the package was installed, but no data."""
        # an update over the package needs its directories, also the empty ones
        made = "".join(f"[ -e {self.override} ] || {_rmdir(path)}" for path in self.made_later)
        ours = "".join(_rmdir(str(path)) for path in (BUNDLES, BUNDLES.parent))
        # runtimes make mount points in a rootfs
        return f"rm --recursive --force --one-file-system -- {self.bundle}\n{made}{ours}"

    def with_capabilities(self) -> list[str]:
        """Return the programs that have capabilities, which not every kind of package can give them."""
        plain = (Path(directory, name) for directory, _, names in os.walk(self.top) for name in names)
        found = (path for path in plain if CAPABILITIES in os.listxattr(path, follow_symlinks=False))
        return sorted(f"/{path.relative_to(self.top)}" for path in found)

    def with_newlines(self) -> list[str]:
        """Return the files and directories whose names have more than one line."""
        found = [
            Path(directory, name)
            for directory, inner, plain in os.walk(self.top)
            for name in (*inner, *plain)
            if "\n" in name
        ]
        return sorted(f"/{path.relative_to(self.top)}" for path in found)


def _rmdir(path: str) -> str:
    return f"rmdir --ignore-fail-on-non-empty -- {shlex.quote(path)} 2>/dev/null || :\n"


def below(top: Path, path: Path) -> Path:
    """Return where a path of the host is below a directory."""
    return top / path.relative_to("/")


def lay_out(top: Path, container: str, *, drop_in: str) -> Contents:
    """Return the contents, when a bundle below top has given its unit and host files to their places.

    Raises ImageError for a host file where something else of the package is.
    """
    bundle = below(top, BUNDLES / container)
    has_service = (bundle / f"{container}.service").exists()
    # before the host files: no symlink of theirs is on the way then
    placed = _place_units(top, container, drop_in=drop_in) if has_service else []
    host_files = [_place(top, file) for file in load_host_tree(bundle / "host")]
    if (bundle / "host").exists():
        trees.remove_tree(bundle / "host")
    _separate_symlinks(bundle / "rootfs")
    plain = [file.path for file in host_files if file.kind is not FileKind.DIRECTORY]
    return Contents(
        top=top,
        container=container,
        files=(*plain, *placed),
        directories=tuple(file.path for file in host_files if file.kind is FileKind.DIRECTORY),
        configuration=tuple(
            file.path
            for file in host_files
            if file.kind is FileKind.FILE and PurePosixPath(file.path).is_relative_to("/etc")
        ),
        made_later=_made_later(bundle / f"tmpfiles-{container}.conf", container),
        has_service=has_service,
    )


def _separate_symlinks(rootfs: Path) -> None:
    """Make each symlink that is one file with others in the repo its own: dpkg cannot unpack such."""
    for directory, names, plain in os.walk(rootfs):
        for path in (Path(directory, name) for name in (*names, *plain)):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) and status.st_nlink > 1:
                target = path.readlink()
                path.unlink()
                path.symlink_to(target)
                os.lchown(path, status.st_uid, status.st_gid)


def _place(top: Path, file: HostFile) -> HostFile:
    """Copy a host file to its place: what is in the bundle may be a link into the repo."""
    target = below(top, Path(file.path))
    _check_place(target, file)
    if file.kind is FileKind.DIRECTORY:
        _make(target)
        return file
    _make(target.parent)
    if file.kind is FileKind.SYMLINK:
        target.symlink_to(file.rendered.readlink())
    else:
        shutil.copyfile(file.rendered, target)
        target.chmod(file.mode)
    return file


def _check_place(target: Path, file: HostFile) -> None:
    """Raise ImageError for a host file that would be another part of the package, or lead out of it."""
    path = PurePosixPath(file.path)
    is_there = os.path.lexists(target) and not (file.kind is FileKind.DIRECTORY and target.is_dir())
    if is_there or path.is_relative_to(BUNDLES) or path.parts[1:2] == (CONTROL,):
        raise ImageError(
            f"the host file {file.path} of the image conflicts with a file of the package itself",
            hint=AUTHOR,
        )


def _place_units(top: Path, container: str, *, drop_in: str) -> list[str]:
    bundle = below(top, BUNDLES / container)
    texts = {
        UNITS / f"{container}.service": (bundle / f"{container}.service").read_bytes(),
        UNITS / f"{container}.service.d" / DROP_IN: drop_in.encode(),
        TMPFILES / f"{container}.conf": (bundle / f"tmpfiles-{container}.conf").read_bytes(),
    }
    placed = {path: text for path, text in texts.items() if text}
    for path, text in placed.items():
        _make(below(top, path).parent)
        below(top, path).write_bytes(text)
        below(top, path).chmod(0o644)
    return [str(path) for path in placed]


def _made_later(tmpfiles: Path, container: str) -> tuple[str, ...]:
    if not tmpfiles.exists():
        return ()
    made = directories_of(tmpfiles.read_text(errors="replace"))
    return tuple(sorted((path for path in made if container in PurePosixPath(path).parts), reverse=True))


def _make(directory: Path) -> None:
    files.make_directory(directory, mode=0o755)
