"""The files of a container that systemd reads: put in place, and taken away.

/etc/systemd/system/NAME.service                      the image's unit
/etc/systemd/system/NAME.service.d/10-os-containers.conf   ours
/etc/tmpfiles.d/NAME.conf
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from os_containers import files, selinux
from os_containers.errors import ConflictError, ProcessError, SystemFaultError
from os_containers.events import OnEvent, Step, Warned
from os_containers.host import unit
from os_containers.host.systemd import ServiceManager
from os_containers.paths import Paths
from os_containers.selinux import Labels, host_labels

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """Where the unit, the drop-in and the tmpfiles.d fragment of a container are."""

    unit: Path
    drop_in: Path
    tmpfiles: Path
    labels: Labels = field(default_factory=host_labels)

    @classmethod
    def find(cls, paths: Paths, name: str) -> "UnitFiles":
        return cls(
            unit=paths.units / f"{name}.service",
            drop_in=paths.units / f"{name}.service.d" / unit.DROP_IN,
            tmpfiles=paths.tmpfiles / f"{name}.conf",
        )

    def all(self) -> tuple[Path, ...]:
        """Return each of them."""
        return (self.unit, self.drop_in, self.tmpfiles)

    def present(self) -> list[Path]:
        """Return those that are on the host, dangling symlinks too."""
        return [path for path in self.all() if path.exists() or path.is_symlink()]

    def are_gone(self) -> bool:
        """Tell whether nothing is left of them, nor a directory for drop-ins."""
        return not self.present() and not self.drop_in.parent.exists()

    def in_the_way(self) -> list[Path]:
        """Return what has the place of one of them, or of the directory above, and cannot be replaced."""
        found = [path for path in self.all() if path.is_dir()]
        directory = self.drop_in.parent
        is_blocked = os.path.lexists(directory) and not directory.is_dir()
        return [*found, directory] if is_blocked else found

    def check_places(self) -> None:
        """Raise ConflictError when something is in the way, SystemFaultError when nothing can be written."""
        there = next(one for one in (self.unit.parent, *self.unit.parents) if one.exists())
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            raise SystemFaultError(
                f"{there} is on a read-only file system", hint="mount it writable, then try again"
            )
        for path in self.in_the_way():
            raise ConflictError(f"{path} is in the way", hint=f"move {path} away, then try again")

    @property
    def is_masked(self) -> bool:
        """Tell whether somebody has seen to it that the service is never started."""
        return self.unit.is_symlink() and self.unit.readlink() == Path(os.devnull)

    def check_unmasked(self) -> None:
        """Raise ConflictError when the service is masked."""
        if self.is_masked:
            raise ConflictError(f"{self.unit.name} is masked", hint=f"systemctl unmask {self.unit.name}")

    def check_unclaimed(self) -> None:
        """Raise ConflictError when somebody has replaced what the system brings."""
        for path in (self.unit, self.tmpfiles):
            if os.path.lexists(path):
                raise ConflictError(
                    f"{path} already overrides what the system provides",
                    hint="move it away, then try again; its changes can go in a drop-in: systemctl edit",
                )

    def install(
        self, *, unit_text: bytes, tmpfiles_text: bytes, services: ServiceManager, on_event: OnEvent
    ) -> None:
        """Put them in place, make what the tmpfiles.d fragment asks for, and tell systemd what is new."""
        drop_in = unit.render_drop_in(systemd_version=services.version()).encode()
        is_new = [self._put(path, text) for path, text in ((self.drop_in, drop_in), (self.unit, unit_text))]
        if tmpfiles_text:
            self._put(self.tmpfiles, tmpfiles_text)
            services.create_tmpfiles(self.tmpfiles)
            on_event(Step(services.shown("systemd-tmpfiles", "--create", str(self.tmpfiles))))
        elif self.tmpfiles.exists():
            files.unlink_durable(self.tmpfiles)
        # the command that put them there may have been killed before it told systemd
        if any(is_new) or services.states([self.unit.name])[self.unit.name].needs_reload:
            services.reload()
            on_event(Step(services.shown("systemctl", "daemon-reload")))

    def _put(self, path: Path, text: bytes) -> bool:
        """Write a file unless it is there; say which."""
        selinux.make_directory(path.parent, self.labels)
        # on the way back most are as they were, and a full disk must not keep us from going it
        is_there = _is_there(path, text)
        if not is_there:
            with files.written_beside(path, text, mode=_MODE) as written:
                self.labels.give(written, path)
                written.rename(path)
        files.fsync_directory(path.parent)
        return not is_there

    def remove(self, *, services: ServiceManager, on_event: OnEvent) -> None:
        """Take them away, and tell systemd. Drop-ins of the admin's stay."""
        if self.tmpfiles.exists():
            on_event(Step(services.shown("systemd-tmpfiles", "--remove", str(self.tmpfiles))))
            # a line that systemd does not like must not keep us from going
            try:
                services.remove_tmpfiles(self.tmpfiles)
            except ProcessError as error:
                on_event(Warned(error.message))
        for path in self.present():
            files.unlink_durable(path)
        if not files.remove_if_empty(self.drop_in.parent):
            on_event(Step(f"kept {self.drop_in.parent}: it has drop-ins of your own"))
        services.reload()
        on_event(Step(services.shown("systemctl", "daemon-reload")))


def _is_there(path: Path, text: bytes) -> bool:
    is_plain = not path.is_symlink() and path.is_file()
    return is_plain and path.stat().st_mode & 0o7777 == _MODE and path.read_bytes() == text


def sync_links(units: Path) -> None:
    """Make the links durable that enabling and disabling units made and removed: systemctl does not."""
    for directory in (units, *units.glob("*.wants"), *units.glob("*.requires")):
        if directory.is_dir():
            files.fsync_directory(directory)
