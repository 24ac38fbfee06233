"""A unit of ours that somebody has edited is kept beside its place when another comes, or none.

/etc/systemd/system/NAME.service.os-containers-old    beside the one that came in its place
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.events import Warned
from os_containers.host.unit_files import UnitFiles
from os_containers.operations.system import System

SUFFIX = ".os-containers-old"


def keep_edited_units(system: System, container: Container, entering: Deployment | None) -> None:
    """Keep what is in a unit or tmpfiles.d fragment and of no deployment, and say so: another is to come."""
    known = set(_texts(container, entering))
    unit_files = UnitFiles.find(system.paths, container.name)
    # the drop-in says in its first line whose it is
    for path in (unit_files.unit, unit_files.tmpfiles):
        if path.is_file() and not path.is_symlink() and path.read_bytes() not in known:
            kept = _kept(path)
            way = f"systemctl edit {unit_files.unit.name} makes changes that stay"
            system.on_event(Warned(f"{path} was edited: kept as {kept.name}; {way}"))


def _texts(container: Container, entering: Deployment | None) -> Iterator[bytes]:
    """Yield the texts in all deployments: also where the record cannot be read, of which more may be lost."""
    places = [container.deployment_path(serial) for serial in container.serials()]
    for place in (*places, *([entering.path] if entering else [])):
        for name in (f"{container.name}.service", f"tmpfiles-{container.name}.conf"):
            if (place / name).is_file():
                yield (place / name).read_bytes()


def _kept(path: Path) -> Path:
    """Keep a file under the first name that is free, or has the same already, and return that."""
    content = path.read_bytes()
    names = (path.with_name(f"{path.name}{SUFFIX}{number or ''}") for number in itertools.count())
    kept = next(one for one in names if not os.path.lexists(one) or _has(one, content))
    if not kept.exists():
        files.write_atomic(kept, content, mode=path.stat().st_mode & 0o777)
    return kept


def _has(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
