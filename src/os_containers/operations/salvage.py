"""The record of the active deployment, made anew when it is damaged: without it nothing leads back or on.

What it was made of, its pin says; values and host files are those of the deployment before it. The proof is
that they make the same files again.
"""

import filecmp
from dataclasses import dataclass, replace
from pathlib import Path

from os_containers import files
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, read_record, repair_or_reinstall, save_record
from os_containers.deployment.history import once_active
from os_containers.deployment.record import NewerRecordError
from os_containers.deployment.values import Values
from os_containers.errors import BrokenError, ImageError, UsageError
from os_containers.events import Warned
from os_containers.host.hostfiles import Action
from os_containers.operations import host_changes
from os_containers.operations.blueprint import blueprint_of
from os_containers.operations.build import build
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo


def salvage(system: System, repo: Repo, container: Container) -> None:
    """Make the record of the active deployment anew if it is damaged; what there was of it stays beside it.

    Without another deployment nothing is done: nobody knows then which host files are ours.
    """
    # what a link that was bent leads to is not ours
    active, previous = container.own_active_path(), _previous(container)
    is_ours = active is not None and active.parent == container.directory
    is_settled = not system.journals.path(container.name).exists()
    if active and is_ours and active.is_dir() and previous and is_settled and _has_lost_record(active):
        _make_anew(system, repo, active, previous)


def _has_lost_record(deployment: Path) -> bool:
    """Tell whether there is no record, or none that anybody can read; OSError when it cannot be read now."""
    try:
        read_record(deployment / "info")
    except (FileNotFoundError, IsADirectoryError):
        return True
    except BrokenError as error:
        return not isinstance(error, NewerRecordError)
    return False


def _previous(container: Container) -> Deployment | None:
    others = once_active(container)
    return others[-1] if others else None


def _make_anew(system: System, repo: Repo, path: Path, previous: Deployment) -> None:
    name, serial = previous.container, int(path.name)
    commit = repo.refs.find(repo.pins.ref(name, serial))
    remote = _remote(path)
    if commit is None and not remote:
        raise BrokenError(
            f"{path}: neither its record nor its pin says what it is made of",
            hint=repair_or_reinstall(name),
        )
    image = _image_of(repo, commit, previous.record.image) if commit else ""
    record = replace(
        previous.record,
        serial=serial,
        image=image,
        digest=str(repo.stored_commit(image, commit).digest) if commit else "",
        commit=commit or "",
        remote=remote,
        created=path.stat().st_mtime,
        activation=previous.record.activation + 1,
    )
    again = _built_again(system, repo, Deployment(name, path, record))
    if again:
        values = again.values if again.is_same else record.values
        record = replace(record, values=values, has_service=again.has_service)
    deployment = _with_host_files(system, Deployment(name, path, record), previous)
    _save(deployment)
    _tell(system, deployment, previous, is_proven=again is not None and again.is_same)


def _remote(deployment: Path) -> str:
    """Return the root file system that a deployment uses in place of its own, empty for none."""
    rootfs = deployment / "rootfs"
    return str(rootfs.readlink()) if rootfs.is_symlink() else ""


def _image_of(repo: Repo, commit: str, expected: str) -> str:
    """Return the name of the image that a commit is, the expected one if it may be that."""
    names = [one.name for one in repo.images() if one.commit == commit]
    return expected if expected in names or not names else names[0]


@dataclass(frozen=True, slots=True)
class _Again:
    """What came of making a deployment's files once more, and whether they are the same."""

    values: Values
    has_service: bool
    is_same: bool


def _built_again(system: System, repo: Repo, deployment: Deployment) -> _Again | None:
    """Make the files of a deployment anew from the values in its record; None when these do not make any."""
    try:
        with staging_directory(system, deployment.container) as scratch:
            blueprint = blueprint_of(system, repo, deployment)
            built = build(system, repo, blueprint, scratch.path).record
            is_same = _is_same(scratch.path, deployment.path)
            return _Again(built.values, built.has_service, is_same)
    except (ImageError, UsageError):
        return None  # as for a variable that only the lost values had


def _is_same(built: Path, there: Path) -> bool:
    """Tell whether all that was rendered is the same; the rootfs is the same commit's."""
    rendered = [one.relative_to(built) for one in built.glob("*") if one.is_file()]
    rendered += [one.relative_to(built) for one in (built / "host").rglob("*") if one.is_file()]
    _, differing, missing = filecmp.cmpfiles(built, there, [str(one) for one in rendered], shallow=False)
    return not differing and not missing


def _with_host_files(system: System, deployment: Deployment, previous: Deployment) -> Deployment:
    """Return a deployment whose record has the host files that are known to be ours."""
    container = system.container(deployment.container)
    plan = host_changes.plan(system, container, deployment, ours=[previous])
    for change in plan.changes:
        if change.action is Action.KEEP_FOREIGN:
            system.on_event(Warned(f"{change.path} is no longer managed: it may have been there before"))
    record = replace(deployment.record, installed=plan.installed)
    return replace(deployment, record=record)


def _save(deployment: Deployment) -> None:
    info = deployment.path / "info"
    if info.exists():
        info.rename(_kept(deployment))
    save_record(deployment.path, deployment.record)
    files.fsync_directory(deployment.path)


def _kept(deployment: Deployment) -> Path:
    return deployment.path / "info.damaged"


def _tell(system: System, deployment: Deployment, previous: Deployment, *, is_proven: bool) -> None:
    name, kept = deployment.container, _kept(deployment)
    fact = f"rebuilt the record of deployment {deployment.serial} of {name} from that of {previous.serial}"
    if is_proven:
        system.tell(f"{fact}: its values make the same files")
        return
    lost = "the values set with it are lost: give them again with --set at the next update"
    may_tell = f"; {kept} may have them" if kept.exists() else ""
    system.on_event(Warned(f"{fact}: {lost}{may_tell}"))
