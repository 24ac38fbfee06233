"""One deployment on disk: where its parts are, and what its record says.

    .deploy/NAME/17/   rootfs/  config.json  NAME.service  tmpfiles-NAME.conf  info  host/

What a predecessor made, and what the distribution brings, is elsewhere (predecessor.py, factory.py).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from os_containers.deployment import factory, predecessor
from os_containers.deployment.record import SIZE_LIMIT, Record, dump_record, parse_record
from os_containers.errors import BrokenError
from os_containers.faults import is_exhaustion
from os_containers.files import write_atomic


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment on disk."""

    container: str
    path: Path
    record: Record

    @property
    def serial(self) -> int:
        return self.record.serial

    @property
    def rootfs(self) -> Path:
        return self.path / "rootfs"

    @property
    def root(self) -> Path:
        """Return the root file system: the deployment's own, or the one on the host that it uses."""
        if not self.record.remote:
            return self.rootfs
        # a predecessor's link says where it really is
        return self.rootfs.resolve() if self.is_predecessors else Path(self.record.remote)

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def unit(self) -> Path:
        unit = self.path / f"{self.container}.service"
        return factory.UNITS / unit.name if self.is_factory and not unit.exists() else unit

    @property
    def tmpfiles(self) -> Path:
        return self.path / f"tmpfiles-{self.container}.conf"

    @property
    def host_files(self) -> Path:
        return self.path / "host"

    @property
    def is_factory(self) -> bool:
        """Tell whether the distribution brought it: it is never written."""
        return factory.is_factory(self.container, self.path)

    @property
    def is_predecessors(self) -> bool:
        """Tell whether a predecessor made it: no image in the store makes it anew."""
        return predecessor.find_serial(self.container, self.path) is not None

    @property
    def is_ours(self) -> bool:
        """Tell whether it was made here, of an image of the store or of a root file system."""
        return not self.is_predecessors and not self.is_factory

    def unit_text(self) -> str:
        return self.unit.read_text(errors="surrogateescape") if self.record.has_service else ""

    def tmpfiles_text(self) -> str:
        """Return the deployment's tmpfiles.d fragment, empty without one."""
        return self.tmpfiles.read_text(errors="surrogateescape") if self.tmpfiles.exists() else ""


def load_deployment(container: str, path: Path) -> Deployment:
    """Return the deployment in a directory. Raises BrokenError when its record cannot be read."""
    info, way_out = path / "info", _way_out(container, path)
    try:
        record = read_record(info)
    except OSError as error:
        if is_exhaustion(error):
            raise
        said = f"{info} cannot be read: {error.strerror}"
        raise BrokenError(said, hint=way_out) from error
    except BrokenError as error:
        said = f"{path}: {error.message}"
        raise BrokenError(said, hint=error.hint or way_out) from error
    if factory.is_factory(container, path):
        # it is what there was at first
        record = replace(record, serial=factory.SERIAL, was_active=True)
    serial = predecessor.find_serial(container, path)
    return Deployment(container, path, record if serial is None else replace(record, serial=serial))


def read_record(info: Path) -> Record:
    """Return the record in a file. Raises OSError, and BrokenError when it is none."""
    with info.open("rb") as file:
        return parse_record(file.read(SIZE_LIMIT + 1))


def reinstall(container: str) -> str:
    """Return what to do with a container that is damaged beyond repair."""
    return f"os-containers uninstall {container}, then install it again with its --set values; its data stay"


def repair_or_reinstall(container: str) -> str:
    """Return what to do with a container that may be mended."""
    return f"os-containers repair; if that does not help: {reinstall(container)}"


def _way_out(container: str, path: Path) -> str:
    return factory.REINSTALL if factory.is_factory(container, path) else repair_or_reinstall(container)


def save_record(path: Path, record: Record) -> None:
    """Write the record of the deployment in a directory, in one step."""
    write_atomic(path / "info", dump_record(record), mode=0o600)
