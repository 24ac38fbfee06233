"""What a deployment is to be made of: an image or a root file system, with what was set for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from os_containers.deployment import values
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.deployment.record import Approved, Record
from os_containers.deployment.values import Values
from os_containers.errors import UsageError
from os_containers.host.host_policy import Permission
from os_containers.host.runtime import Runtime
from os_containers.operations.choices import Choices
from os_containers.operations.root import Root
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.suggestions import suggestion


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a deployment is to be made of, and the path at which it will be used.

    Its volumes are in the state directory, unless somebody has another place for them.
    """

    name: str
    path: Path
    serial: int
    source: StoredImage | Root
    runtime: Runtime
    settings: Mapping[str, str]
    previous: Values = field(default_factory=dict)
    permission: Permission = field(default_factory=Permission)
    approved: Approved = field(default_factory=Approved)
    volumes: Path | None = None

    @property
    def image(self) -> StoredImage | None:
        """Return the image, None for a root file system without one."""
        return self.source.image if isinstance(self.source, Root) else self.source

    @property
    def root(self) -> Path | None:
        """Return the root file system that is there already, None for one that is checked out."""
        return self.source.path if isinstance(self.source, Root) else None


def new_blueprint(
    container: Container,
    source: StoredImage | Root,
    runtime: Runtime,
    choices: Choices,
    *,
    leaving: Deployment | None = None,
) -> Blueprint:
    """Return what the next deployment of a container is made of; what was set stays so, if not unset.

    Raises UsageError for what is to be unset and nobody has set.
    """
    serial = container.next_serial()
    before = leaving.record if leaving else None
    return Blueprint(
        container.name,
        container.deployment_path(serial),
        serial,
        source,
        runtime,
        _kept_settings(before, choices) | dict(choices.settings),
        previous=before.values if before else {},
        permission=choices.permission,
        approved=before.approved if before else Approved(),
    )


def _kept_settings(before: Record | None, choices: Choices) -> dict[str, str]:
    kept = values.set_by_user(before.values) if before else {}
    for name in sorted(choices.unset):
        if name not in kept:
            hint = suggestion(name, kept, otherwise=f"these are set: {', '.join(kept) or 'none'}")
            raise UsageError(f"{name!r} is not set", hint=hint)
        if name in choices.settings:
            raise UsageError(f"{name} is given with both --set and --unset", hint="leave out one of them")
    return {name: text for name, text in kept.items() if name not in choices.unset}


def blueprint_of(system: System, repo: Repo, deployment: Deployment) -> Blueprint:
    """Return what makes a deployment once more, from its image and its values."""
    record = deployment.record
    return Blueprint(
        name=deployment.container,
        path=deployment.path,
        serial=deployment.serial,
        source=source_of(repo, record),
        runtime=system.runtime(None, recorded=record.runtime),
        settings=values.set_by_user(record.values),
        previous=record.values,
    )


def source_of(repo: Repo, record: Record) -> StoredImage | Root:
    """Return what a deployment was made of, as it was then."""
    if not record.remote:
        return repo.stored_commit(record.image, record.commit)
    image = repo.stored_commit(record.image, record.commit) if record.commit else None
    return Root(Path(record.remote), image)
