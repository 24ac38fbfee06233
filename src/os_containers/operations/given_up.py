"""An update that failed is remembered, so that a timer does not stop the service for it again each night.

It stands in the record of the deployment that stayed: its image and its values are what the next update would
keep. Whoever gives others asks for something that nobody has tried.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum

from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.record import FailedUpdate
from os_containers.deployment.values import set_by_user
from os_containers.errors import ServiceError
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.host_changes import told_only
from os_containers.operations.system import System
from os_containers.ostree.stored_image import StoredImage

# A service may have said a lot (characters).
_SAID = 500


class OnceFailed(Enum):
    """What becomes of an update that failed before."""

    TRIED_AGAIN = "somebody asks for it"
    SKIPPED = "nobody has asked for this one"


def find_failure(leaving: Deployment, blueprint: Blueprint) -> FailedUpdate | None:
    """Return the failure of an update to the same as now, None when nobody has tried that."""
    failed = leaving.record.failed_update
    digest = _digest(leaving, blueprint)
    return failed if failed and (failed.digest, failed.runtime) == (digest, _runtime(blueprint)) else None


def told_of_failure(container: str, failed: FailedUpdate) -> str:
    """Return what is said of an update that is skipped."""
    return (
        f"{container} is left alone: {failed.digest} failed before ({failed.error}); {tried_again(container)}"
    )


def tried_again(container: str) -> str:
    """Return what tries an update again that is skipped."""
    return f"os-containers update {container} tries it again"


@contextlib.contextmanager
def remembered(system: System, leaving: Deployment, blueprint: Blueprint) -> Iterator[None]:
    """Remember it when an update to what a blueprint makes fails here, and forget about failures when not."""
    try:
        yield
    except ServiceError as error:
        digest = _digest(leaving, blueprint)
        # what the system brings is never written; nobody updates it unasked
        if digest and not leaving.is_factory:
            said = error.message[:_SAID]
            _note(system, leaving, FailedUpdate(digest, _runtime(blueprint), time.time(), said))
        raise
    if leaving.record.failed_update and leaving.path.is_dir():
        _note(system, leaving, None)


def _note(system: System, leaving: Deployment, failed: FailedUpdate | None) -> None:
    with told_only(system):
        # the change has written the record, too
        record = load_deployment(leaving.container, leaving.path).record
        save_record(leaving.path, replace(record, failed_update=failed))


def _digest(leaving: Deployment, blueprint: Blueprint) -> str:
    """Return the digest to which an update goes over that only follows its image; nothing for any other."""
    record, image = leaving.record, blueprint.source
    if not isinstance(image, StoredImage) or image.name != record.image:
        return ""
    return str(image.digest) if blueprint.settings == set_by_user(record.values) else ""


def _runtime(blueprint: Blueprint) -> str:
    return str(blueprint.runtime.path)
