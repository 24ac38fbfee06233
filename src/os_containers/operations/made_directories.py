"""The directories that tmpfiles.d makes for a container: which go with it, and which hold somebody's data."""

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.host.unit import directories_of
from os_containers.operations.system import System


def new_directories(
    container: Container, leaving: Deployment | None, entering: Deployment, *, is_fresh: bool
) -> set[str]:
    """Return what tmpfiles.d made for a deployment that did not come to be, and for none that is there."""
    before = container.readable() if leaving else []
    others = (one for one in before if not is_fresh or one.path != entering.path)
    return {*entering.record.directories} - {path for one in others for path in directories_made(one)}


def directories_made(deployment: Deployment) -> Sequence[str]:
    """Return what tmpfiles.d made for a deployment; the distribution's has no record of it."""
    if deployment.is_factory:
        return directories_of(deployment.tmpfiles_text())
    return deployment.record.directories


def obsolete_directories(
    container: Container, leaving: Deployment, entering: Deployment | None
) -> frozenset[str]:
    """Return what tmpfiles.d made for a container that goes, but what the distribution's own still wants."""
    if not entering:
        return frozenset(leaving.record.directories)
    made = {path for one in container.readable() if not one.is_factory for path in one.record.directories}
    return frozenset(made - {*directories_of(entering.tmpfiles_text())})


def older_directories(container: Container, entering: Deployment | None) -> frozenset[str]:
    """Return what a container that goes wanted of tmpfiles.d: made for it, or there before and then kept.

    What the distribution's own still wants is none of it.
    """
    wanted = {path for one in container.readable() for path in directories_of(one.tmpfiles_text())}
    return frozenset(wanted - {*directories_of(entering.tmpfiles_text() if entering else "")})


def remove_directories(system: System, owner: Deployment, directories: Iterable[str]) -> None:
    """Remove what tmpfiles.d made for us; what somebody has put something into stays, and data are told.

    Raises OSError when the host fails us: nothing would tell later that an empty directory is ours.
    """
    for path in sorted(directories, reverse=True):
        if not files.remove_unless_needed(path):
            _tell_kept(system, owner, path)


def tell_staying(system: System, owner: Deployment, directories: Iterable[str], gone: Iterable[str]) -> None:
    """Tell the same of directories that are not removed, as if all that is gone were gone."""
    for path in staying(directories, gone):
        _tell_kept(system, owner, path)


def staying(directories: Iterable[str], gone: Iterable[str]) -> list[str]:
    """Return which of these directories something would be in, inner ones first, if all of gone were gone."""
    directories = sorted(directories, reverse=True)
    going = {os.path.realpath(path) for path in (*directories, *gone)}
    stay = []
    for path in directories:
        if _holds_more(Path(path), going):
            going.discard(os.path.realpath(path))
            stay.append(path)
    return stay


def _holds_more(directory: Path, going: Collection[str]) -> bool:
    """Tell whether something stays in a directory; a user cannot look into all that a container made."""
    try:
        return any(os.path.realpath(one) not in going for one in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _tell_kept(system: System, owner: Deployment, path: str) -> None:
    state = owner.record.values.get("STATE_DIRECTORY")
    # the directory of all is nobody's
    if state is not None and Path(state.text) in Path(path).parents:
        system.tell(f"kept {path}: the data of {owner.container}")
