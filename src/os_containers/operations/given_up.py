"""What an update went back from is remembered, so that a timer does not switch to it again each night.

It failed, or somebody rolled back from it.

It stands in the record of the deployment that stayed: its image and its values are what the next update would
keep. Whoever gives others asks for something that nobody has tried.
"""

import time
from dataclasses import replace
from enum import Enum

from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.record import GivenUp, Record
from os_containers.deployment.values import set_by_user
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.recoverable import told_only
from os_containers.operations.system import System
from os_containers.operations.transition import Transition
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
    return f"{container} is skipped: {why}; {tried_again(container)}"


def tried_again(container: str) -> str:
    """Return what tries an update again that is skipped."""
    return f"os-containers update {container} tries it again"


def note_failure(system: System, transition: Transition, said: str) -> None:
    """Note that the service did not stay up after an update, in the record of the deployment that stays."""
    leaving, entering = transition.leaving, transition.entering
    # what the system brings is never written; nobody updates it unasked
    if transition.operation == "update" and leaving and entering and not leaving.is_factory:
        left = entering.record
        if left.digest and _only_follows(leaving.record, left):
            _note(system, leaving, GivenUp(left.digest, left.runtime, time.time(), said[:_SAID]))


def note_end(system: System, transition: Transition) -> None:
    """Note what somebody has rolled back from, or that nothing is given up any more."""
    leaving, entering = transition.leaving, transition.entering
    if not leaving or not entering:
        return
    if transition.operation == "update" and leaving.record.given_up:
        _note(system, leaving, None)
    if transition.operation == "rollback" and not entering.is_factory:
        left, record = leaving.record, entering.record
        is_older = left.serial > record.serial and left.image == record.image and left.digest != record.digest
        if is_older and left.digest:
            _note(system, entering, GivenUp(left.digest, record.runtime, time.time(), _ROLLED_BACK))


def _only_follows(before: Record, after: Record) -> bool:
    """Tell whether an update asked for nothing but the image that the name means by now."""
    return before.image == after.image and set_by_user(before.values) == set_by_user(after.values)


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
