"""A container lives on while its deployments come and go; the symlink NAME says which one is active.

    NAME -> .deploy/NAME/17
    .deploy/NAME/16/   rootfs/  config.json  NAME.service  tmpfiles-NAME.conf  info  host/
    .deploy/NAME/17/

Switching is one rename(2) of a new symlink over the old one. Serials grow, and a deployment that was active
is never built again. What a predecessor made is elsewhere (predecessor.py).
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from os_containers.deployment import factory, predecessor
from os_containers.deployment.deployment import Deployment, load_deployment, reinstall, repair_or_reinstall
from os_containers.deployment.name import find_names, is_name
from os_containers.errors import BrokenError, NotFoundError
from os_containers.files import make_directory, symlink_atomic, unlink_durable
from os_containers.paths import Paths


@dataclass(frozen=True, slots=True)
class Container:
    """A named container and where its parts are."""

    name: str
    state: Path
    factories: Path | None = None
    units: Path | None = None

    @classmethod
    def find(cls, paths: Paths, name: str) -> "Container":
        """Return the container with a name, which need not exist."""
        return cls(name, paths.state, paths.factories, paths.units)

    @property
    def factory(self) -> Path | None:
        """Return where the distribution's own deployment is, None when it brings none."""
        return factory.find_place(self.factories, self.name)

    @property
    def link(self) -> Path:
        return self.state / self.name

    @property
    def directory(self) -> Path:
        return self.state / ".deploy" / self.name

    @property
    def spare_link(self) -> Path:
        """Return what tells the active deployment a second time, should the link be lost."""
        return self.directory / ".active"

    @property
    def service(self) -> str:
        return f"{self.name}.service"

    def exists(self) -> bool:
        """Tell whether there is such a container; it may be damaged, or half changed."""
        return self.link.is_symlink() or self.factory is not None or self.has_lost_link

    @property
    def has_lost_link(self) -> bool:
        """Tell whether the link is missing, although nobody has uninstalled what it named."""
        if self.link.is_symlink():
            return False
        # where there is one of the distribution's, the link may be missing because that one is active
        return bool(self.predecessors and not self.factory) or self.lost() is not None

    @property
    def is_blocked(self) -> bool:
        """Tell whether something else has the place of the link."""
        return self.link.exists() and not self.link.is_symlink()

    def require(self) -> None:
        """Raise NotFoundError when there is no such container, and nothing else of its name."""
        if not self.exists() and not self.is_blocked:
            raise no_container(self)

    @property
    def predecessors(self) -> dict[int, Path]:
        """Return where the deployments are that a predecessor made, by their serials."""
        return predecessor.find_places(self.state, self.name)

    def deployment_path(self, serial: int) -> Path:
        if serial == factory.SERIAL and self.factory:
            return self.factory
        own = self.directory / str(serial)
        if serial not in predecessor.SERIALS or own.exists():
            return own
        return self.predecessors.get(serial, own)

    def serials(self) -> list[int]:
        """Return the serials of all deployments on disk but the distribution's, oldest first."""
        entries = self.directory.iterdir() if self.directory.is_dir() else ()
        own = {int(entry.name) for entry in entries if entry.name.isdecimal()}
        return sorted(own | self.predecessors.keys())

    def next_serial(self) -> int:
        """Return the serial of a new deployment, beyond all that are there or could be a predecessor's."""
        reserved = max(predecessor.SERIALS) if self.predecessors else 0
        return max(reserved, max(self.serials(), default=0)) + 1

    def current(self) -> Deployment:
        """Return the active deployment. Raises NotFoundError without one, BrokenError when it is damaged."""
        try:
            target = self.link.readlink()
        except FileNotFoundError:
            return self._without_link()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise BrokenError(f"{self.link} is not a symlink", hint="move it away") from error
        path = self._place(target)
        if not self._is_own(path):
            raise BrokenError(
                f"{self.link} does not point to a deployment of {self.name}: {target}",
                hint=repair_or_reinstall(self.name),
            )
        return load_deployment(self.name, path)

    def _without_link(self) -> Deployment:
        """Return the distribution's own deployment."""
        if self.has_lost_link:
            raise BrokenError(f"the symlink {self.link} is missing", hint=self.way_to_link())
        if not self.factory:
            raise no_container(self)
        return load_deployment(self.name, self.factory)

    def way_to_link(self) -> str:
        """Return what to do about a link that is missing."""
        lost = self.lost()
        if not lost:
            return reinstall(self.name)
        return f"os-containers repair points it to deployment {lost.serial} again"

    def active_path(self) -> Path | None:
        """Return where the link points; without one the distribution's own place, or None.

        What is there may be damaged.
        """
        return self._place(self.link.readlink()) if self.link.is_symlink() else self.factory

    def own_active_path(self) -> Path | None:
        """Return the same, None also for a link that was bent to what is no deployment of this container."""
        active = self.active_path()
        return active if active and self._is_own(active) else None

    def _place(self, target: Path) -> Path:
        """Return the directory that the link names."""
        path = self.state / target
        # the predecessors wrote the whole path, on some hosts through another mount of the same directory
        place = self.state / path.name
        if place in self.predecessors.values() and _is_same(path, place):
            return place
        return path

    def _is_own(self, path: Path) -> bool:
        if path.parent == self.directory:
            return path.name.isdecimal()
        return path in {*self.predecessors.values(), self.factory}

    def readable(self) -> list[Deployment]:
        """Return all deployments whose record can be read, oldest first."""
        found = []
        for serial in (*([factory.SERIAL] if self.factory else []), *self.serials()):
            with contextlib.suppress(BrokenError):
                found.append(load_deployment(self.name, self.deployment_path(serial)))
        return found

    def switch(self, deployment: Deployment) -> None:
        """Make a deployment the active one; a reader sees the old or the new one, never none."""
        if deployment.is_factory:
            self.forget()
            return
        make_directory(self.state, mode=0o700)
        make_directory(self.directory, mode=0o700)
        symlink_atomic(self.spare_link, os.path.relpath(deployment.path, self.directory))
        symlink_atomic(self.link, os.path.relpath(deployment.path, self.state))

    def forget(self) -> None:
        """Leave no deployment active."""
        # first: without a link it says that this one was lost
        if self.directory.is_dir():
            unlink_durable(self.spare_link)
        unlink_durable(self.link)

    def lost(self) -> Deployment | None:
        """Return the deployment that was active before the link was lost or bent, None if it is in order."""
        active = self.own_active_path()
        if active and active.is_dir() and active != self.factory:
            return None
        if self.spare_link.is_symlink():
            path = Path(os.path.normpath(self.directory / self.spare_link.readlink()))
            return next((one for one in self.readable() if one.path == path), None)
        return None if self.link.is_symlink() or self.factory else self._lost_of_predecessor()

    def _lost_of_predecessor(self) -> Deployment | None:
        """Return the deployment that the unit on the host runs, else the newer one; they noted it nowhere."""
        known = [one for one in self.readable() if one.is_predecessors]
        named = predecessor.find_named(self._unit_on_host(), self.predecessors.values())
        if named:
            return next((one for one in known if one.path == named), None)
        return max(known, key=lambda one: (one.record.created, one.serial), default=None)

    def _unit_on_host(self) -> str:
        unit = self.units / self.service if self.units else None
        return unit.read_text(errors="surrogateescape") if unit and unit.is_file() else ""


def no_container(container: Container) -> NotFoundError:
    """Return the error for a container that is not there."""
    from os_containers.suggestions import suggestion  # noqa: PLC0415 - only for a mistake

    names = {*_possible_names(container.state), *factory.find_names(container.factories)}
    return NotFoundError(
        f"there is no container named {container.name!r}",
        hint=suggestion(
            container.name,
            [name for name in sorted(names) if replace(container, name=name).exists()],
            otherwise="os-containers containers list --all shows them",
        ),
    )


def all_containers(paths: Paths) -> Iterator[Container]:
    """Yield every container that has deployments of ours or of a predecessor, by name, linked or not."""
    for name in _possible_names(paths.state):
        container = Container.find(paths, name)
        if container.link.is_symlink() or container.has_lost_link:
            yield container


def all_and_factories(paths: Paths) -> Iterator[Container]:
    """Yield every container, those of the distribution, too, by name."""
    brought = filter(is_name, factory.find_names(paths.factories))
    for name in sorted({*(one.name for one in all_containers(paths)), *brought}):
        yield Container.find(paths, name)


def _possible_names(state: Path) -> list[str]:
    """Return the names that containers have in a state, and those of what is left of some, sorted."""
    deployments = state / ".deploy"
    own = [one.name for one in deployments.iterdir()] if deployments.is_dir() else []
    return sorted(filter(is_name, {*find_names(state), *own, *predecessor.find_names(state)}))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
