"""All containers are updated, one after the other: the failure of one never stops the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from os_containers.deployment.container import Container, all_containers
from os_containers.deployment.record import GivenUp, Record
from os_containers.errors import OsContainersError
from os_containers.events import Warned
from os_containers.faults import system_fault
from os_containers.image.access import ProxyOptions
from os_containers.operations.choices import Choices
from os_containers.operations.given_up import OnGivenUp, told_of_given_up, tried_again
from os_containers.operations.system import System
from os_containers.operations.update import Source, update


class Outcome(StrEnum):
    """What came of an update."""

    UPDATED = "updated"
    CURRENT = "already current"
    SKIPPED = "skipped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class UpdatedContainer:
    """One container: the digests of its images before and now; error and exit code of a failure.

    skipped is the digest of an image that was not tried, since it was given up before: when, in seconds since
    1970, is given_up_at.
    """

    name: str
    outcome: Outcome
    image: str = ""
    before: str = ""
    now: str = ""
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    skipped: str = ""
    given_up_at: float | None = None


def update_all(
    system: System, choices: Choices, *, source: Source, options: ProxyOptions | None
) -> Iterator[UpdatedContainer]:
    """Update every container and yield what came of it; one that failed is as it was before.

    What was given up before is not tried again.

    When a signal ends it, the container under work is the last one, and what the signal raised comes then.
    """
    asked: set[str] = set()
    for container in list(all_containers(system.paths)):
        before = _image(container)
        system.tell(f"os-containers update {container.name}")
        try:
            # the registry is asked once for each image
            now_from = Source.STORE if before[0] in asked else source
            updated = _updated_or_failed(system, container, choices, now_from, options)
        except Exception:
            raise  # a mistake of ours
        except BaseException:
            image, now = _image(container)
            yield UpdatedContainer(container.name, Outcome.INTERRUPTED, image, before[1], now)
            raise
        if not updated.error:
            asked.add(updated.image)
        yield updated


def _updated_or_failed(
    system: System, container: Container, choices: Choices, source: Source, options: ProxyOptions | None
) -> UpdatedContainer:
    try:
        return _updated(system, container, choices, source, options)
    except OsContainersError as error:
        return _failed(container, error)
    except OSError as error:
        return _failed(container, system_fault(error))


def _updated(
    system: System, container: Container, choices: Choices, source: Source, options: ProxyOptions | None
) -> UpdatedContainer:
    before = container.current().record
    updated = update(
        system,
        container.name,
        choices,
        source=source,
        options=options,
        on_given_up=OnGivenUp.SKIP,
    )
    if updated.skipped:
        return _skipped(system, container, updated.deployment.record, updated.skipped)
    now = updated.deployment.record
    outcome = Outcome.UPDATED if updated.changed else Outcome.CURRENT
    return UpdatedContainer(container.name, outcome, now.image, before.digest, now.digest)


def _skipped(system: System, container: Container, record: Record, given_up: GivenUp) -> UpdatedContainer:
    system.on_event(Warned(told_of_given_up(container.name, given_up)))
    return UpdatedContainer(
        container.name,
        Outcome.SKIPPED,
        record.image,
        record.digest,
        record.digest,
        hint=tried_again(container.name),
        skipped=given_up.digest,
        given_up_at=given_up.time,
    )


def _failed(container: Container, error: OsContainersError) -> UpdatedContainer:
    image, digest = _image(container)
    return UpdatedContainer(
        container.name,
        Outcome.FAILED,
        image,
        digest,
        digest,
        error=error.message,
        hint=error.hint or error.next_step,
        exit_code=error.exit_code,
    )


def _image(container: Container) -> tuple[str, str]:
    """Return name and digest of the image of a container, nothing for one that is broken."""
    try:
        record = container.current().record
    except (OsContainersError, OSError):
        return "", ""
    return record.image, record.digest
