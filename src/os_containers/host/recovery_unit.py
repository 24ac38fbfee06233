"""The unit that recovers after a crash, before any container starts.

/etc/systemd/system/os-containers-recover.service                             there while there are containers
/etc/systemd/system/multi-user.target.wants/os-containers-recover.service     enables it

A package brings it in /usr/lib; where it does not, we put it beside the units of the containers. Ours gives
way to one of a package, unless the state is where that one does not look.
"""

import contextlib
import glob
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from os_containers import files, selinux
from os_containers.host.systemd import ServiceManager
from os_containers.host.unit import RECOVERY_UNIT, exec_line
from os_containers.paths import Mode, Paths
from os_containers.process import own_command
from os_containers.selinux import Labels, host_labels

# Where the state is, if it is not in the usual place: the service has no environment from a login.
_VARIABLES = ("OS_CONTAINERS_CHECKOUT_PATH", "OSTREE_REPO", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


@dataclass(frozen=True, slots=True)
class RecoveryUnit:
    """Where the unit is when it is ours, and the link that enables it."""

    path: Path
    link: Path
    labels: Labels = field(default_factory=host_labels)

    @classmethod
    def find(cls, paths: Paths) -> "RecoveryUnit":
        wants = paths.units / f"{_target(paths.mode)}.wants"
        return cls(paths.units / RECOVERY_UNIT, wants / RECOVERY_UNIT)

    def install(self, paths: Paths, environment: Mapping[str, str], services: ServiceManager) -> None:
        """Put the unit in place and enable it, unless the host has it, or the admin has disabled it.

        One that cannot be put in place whole leaves nothing.
        """
        self._remove_temporaries()
        text = render_recovery_unit(own_command(), paths, environment).encode()
        if self.path.is_symlink() or (self.path.exists() and self.path.read_bytes() == text):
            return
        packaged = self._packaged(services) if _is_usual(paths, environment) else None
        if packaged:
            self._give_way(paths.mode, packaged, services)
            return
        is_new = not self.path.exists()
        try:
            if is_new:
                self._enable(text)
            else:
                with self._written(text) as unit:
                    unit.rename(self.path)
                files.fsync_directory(self.path.parent)
            services.reload()
        except BaseException:
            if is_new:
                self.remove(services)
            raise

    def _packaged(self, services: ServiceManager) -> Path | None:
        found = (directory / RECOVERY_UNIT for directory in services.unit_paths())
        return next((path for path in found if path != self.path and path.exists()), None)

    def _give_way(self, mode: Mode, packaged: Path, services: ServiceManager) -> None:
        """Take our unit away when there is one, and let the one of a package be enabled as ours was."""
        ours = self.present()
        # the package enables it for all users, and for the system by a link in the place of ours
        if self.link in ours and mode is Mode.SYSTEM:
            files.point(self.link, str(packaged))
        if ours:
            self.remove(services)

    def _enable(self, text: bytes) -> None:
        """Put the link and the unit in place, and flush them together: a power cut hardly comes between.

        The link first: alone it does nothing, and the unit alone would say that somebody has disabled it.
        """
        selinux.make_directory(self.link.parent, self.labels)
        with self._written(text) as unit:
            # one of a package enables ours, too, and is there when ours is gone
            if not self.link.is_symlink():
                files.point(self.link, str(self.path))
            unit.rename(self.path)
        _flush_names((self.link, self.path))

    @contextlib.contextmanager
    def _written(self, text: bytes) -> Iterator[Path]:
        """Give the new unit under another name, with the label of its place."""
        with files.written_beside(self.path, text) as unit:
            self.labels.give(unit, self.path)
            yield unit

    def remove(self, services: ServiceManager) -> None:
        """Take the unit away when it is ours."""
        self._remove_temporaries()
        ours = self.present()
        if ours:
            for path in ours:
                path.unlink(missing_ok=True)
            _flush_names(ours)
            files.remove_if_empty(self.link.parent)
            services.reload()

    def present(self) -> list[Path]:
        """Return what is ours of it on the host, in the order in which it goes.

        The link last, as it came first: the unit alone would say that somebody has disabled it.
        """
        return [path for path in (self.path, self.link) if self._is_ours(path)]

    def _is_ours(self, path: Path) -> bool:
        if path.is_symlink():
            return path.readlink() == self.path
        return path.exists()

    def _remove_temporaries(self) -> None:
        for path in (self.path, self.link):
            for temporary in files.leftover_temporaries(path):
                files.unlink_durable(temporary)


def _flush_names(paths: Iterable[Path]) -> None:
    for directory in dict.fromkeys(path.parent for path in paths):
        files.fsync_directory(directory)


def _is_usual(paths: Paths, environment: Mapping[str, str]) -> bool:
    """Tell whether all is where the unit of a package looks for it."""
    home = environment.get("HOME")
    if paths.mode is Mode.USER and not home:
        return False
    # any user: who it is decides about the run directory only
    uid = 0 if paths.mode is Mode.SYSTEM else 1
    usual = Paths.find(uid=uid, environment={"HOME": home or "/root"})
    # config.toml tells that one, too, where the repo is
    is_repo_known = paths.repo == usual.repo or "OSTREE_REPO" not in environment
    return is_repo_known and (paths.state, paths.units) == (usual.state, usual.units)


def render_recovery_unit(command: Path, paths: Paths, environment: Mapping[str, str]) -> str:
    """Return the text of the unit; it does nothing, in no time, where no command was interrupted.

    Where there is no container it runs, too: to take itself away, as the last thing of an uninstall.
    """
    left = (paths.journals, paths.staging, paths.trash)
    conditions = "".join(f"ConditionDirectoryNotEmpty=|{_plain(str(one))}\n" for one in left)
    settings = (f"{name}={environment[name]}" for name in _VARIABLES if environment.get(name))
    variables = "".join(f"Environment={exec_line([setting])}\n" for setting in settings)
    return f"""\
[Unit]
Description=Finish or undo interrupted changes of system containers
RequiresMountsFor={exec_line([str(paths.state)])}
{conditions}ConditionPathExistsGlob=|{_plain(glob.escape(str(paths.journals)))}/{files.TEMPORARY_PREFIX}*
ConditionPathExistsGlob=|!{_plain(glob.escape(str(paths.state)))}/*

[Service]
Type=oneshot
{variables}ExecStart={exec_line([str(command), "recover", "--no-block"])}

[Install]
WantedBy={_target(paths.mode)}
"""


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _target(mode: Mode) -> str:
    return "default.target" if mode is Mode.USER else "multi-user.target"
