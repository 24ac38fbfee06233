"""Whether a name is free on this host, for a unit and for a tmpfiles.d fragment.

/etc/systemd/system/NAME.service would hide one of the host's own further down the unit path, drop-ins of
another package would change it, and /etc/tmpfiles.d/NAME.conf would hide one in /usr/lib/tmpfiles.d.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from os_containers.host.systemd import ServiceManager
from os_containers.host.unit_files import UnitFiles
from os_containers.paths import Mode, Paths

# tmpfiles.d(5): the first directory that has a name wins
_TMPFILES = {
    Mode.SYSTEM: ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"),
    Mode.USER: ("/usr/local/share/user-tmpfiles.d", "/usr/share/user-tmpfiles.d"),
}


def files_with_name(paths: Paths, services: ServiceManager, name: str) -> Iterator[Path]:
    """Yield the files of a host that a container of this name would replace, hide or be changed by.

    Drop-ins of the admin are none of them: see kept_drop_ins.
    """
    yield from UnitFiles.find(paths, name).present()
    for directory in services.unit_paths():
        unit, drop_ins = directory / f"{name}.service", directory / f"{name}.service.d"
        if os.path.lexists(unit):
            yield unit
        if drop_ins.is_dir() and directory != paths.units:
            # an empty one says nothing: other packages make it for later
            yield from sorted(drop_ins.iterdir())
    for directory in map(Path, _TMPFILES[paths.mode]):
        fragment = directory / f"{name}.conf"
        if os.path.lexists(fragment):
            yield fragment


def kept_drop_ins(paths: Paths, name: str) -> list[Path]:
    """Return what the admin says about a unit of this name, as `systemctl edit` writes it."""
    own = UnitFiles.find(paths, name).drop_in
    return sorted(one for one in own.parent.glob("*.conf") if one != own)
