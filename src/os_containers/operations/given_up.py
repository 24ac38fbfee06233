"""What an update went back from is remembered, so that a timer does not go over to it again each night.

It failed, or somebody rolled back from it.

It stands in the record of the deployment that stayed: its image and its values are what the next update would
keep. Whoever gives others asks for something that nobody has tried.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum

from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.record import GivenUp
from os_containers.deployment.values import set_by_user
from os_containers.errors import ServiceError
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.host_changes import told_only
from os_containers.operations.system import System
from os_containers.ostree.stored_image import StoredImage

_ROLLED_BACK = "somebody rolled back from it"
# A service may have said a lot (characters).
_SAID = 500


class OnGivenUp(Enum):
    """What becomes of an update that was given up before."""

    TRY_AGAIN = "somebody asks for it"
    SKIP = "nobody has asked for this one"


def find_given_up(leaving: Deployment, blueprint: Blueprint) -> GivenUp | None:
    """Return what is remembered of an update to the same as now, None when nobody has given that up."""
    given_up = leaving.record.given_up
    asked = (_digest(leaving, blueprint), _runtime(blueprint))
    return given_up if given_up and (given_up.digest, given_up.runtime) == asked else None


def told_of_given_up(container: str, given_up: GivenUp) -> str:
    """Return what is said of an update that is skipped."""
    why = f"{given_up.digest} was given up ({given_up.reason})"
    return f"{container} is left alone: {why}; {tried_again(container)}"


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
            _note(system, leaving, GivenUp(digest, _runtime(blueprint), time.time(), said))
        raise
    if leaving.record.given_up and leaving.path.is_dir():
        _note(system, leaving, None)


def remember_rollback(system: System, leaving: Deployment, entering: Deployment) -> None:
    """Remember that somebody went back from an image to an older one of the same name."""
    left, record = leaving.record, entering.record
    is_older = left.serial > record.serial and left.image == record.image and left.digest != record.digest
    if is_older and left.digest and not entering.is_factory:
        _note(system, entering, GivenUp(left.digest, record.runtime, time.time(), _ROLLED_BACK))


def _note(system: System, deployment: Deployment, given_up: GivenUp | None) -> None:
    with told_only(system):
        # the change has written the record, too
        record = load_deployment(deployment.container, deployment.path).record
        save_record(deployment.path, replace(record, given_up=given_up))


def _digest(leaving: Deployment, blueprint: Blueprint) -> str:
    """Return the digest to which an update goes over that only follows its image; nothing for any other."""
    record, image = leaving.record, blueprint.source
    if not isinstance(image, StoredImage) or image.name != record.image:
        return ""
    return str(image.digest) if blueprint.settings == set_by_user(record.values) else ""


def _runtime(blueprint: Blueprint) -> str:
    return str(blueprint.runtime.path)
