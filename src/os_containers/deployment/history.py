"""The deployments of a container in the order in which they became active, as their records note it."""

from dataclasses import replace

from os_containers.deployment import factory
from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.errors import NotFoundError


def once_active(container: Container) -> list[Deployment]:
    """Return the deployments that were ever active, the one that became so last at the end."""
    known = [one for one in container.readable() if one.record.was_active]
    return sorted(known, key=lambda one: (one.record.activation, one.serial))


def unfinished(container: Container) -> list[Deployment]:
    """Return the deployments that never came to be active: the change that made one was interrupted."""
    return [one for one in container.readable() if not one.record.was_active]


def others(container: Container) -> list[Deployment]:
    """Return the deployments that were active and are not now, the one that was so last at the end."""
    current = container.current()
    return [one for one in once_active(container) if one.path != current.path]


def previous(container: Container, serial: int | None = None) -> Deployment:
    """Return the deployment that was active before, or the one of them that has a serial.

    Raises NotFoundError when there is none, BrokenError when the one with the serial is damaged.
    """
    known = others(container)
    if serial is not None:
        return _with_serial(container, known, serial)
    if not known:
        raise NotFoundError(
            f"{container.name} has no other deployment to return to",
            hint=_update_makes_one(container),
        )
    return known[-1]


def _with_serial(container: Container, known: list[Deployment], serial: int) -> Deployment:
    by_serial = {one.serial: one for one in sorted(known, key=lambda one: one.serial)}
    if serial in by_serial:
        return by_serial[serial]
    there = ", ".join(map(_shown, by_serial)) or "none"
    if serial == container.current().serial:
        at = "what the system provides" if serial == factory.SERIAL else _named(serial)
        hint = f"it can return to: {there}" if known else _update_makes_one(container)
        raise NotFoundError(f"{container.name} is already at {at}", hint=hint)
    path = container.deployment_path(serial)
    if path.is_dir():
        # a damaged one is not known of, and says so here
        load_deployment(container.name, path)
    raise NotFoundError(
        f"{container.name} has no {_named(serial)} to return to", hint=f"it can return to: {there}"
    )


def _update_makes_one(container: Container) -> str:
    return f"os-containers update {container.name} makes another one"


def _shown(serial: int) -> str:
    return "the system's (--factory)" if serial == factory.SERIAL else str(serial)


def _named(serial: int) -> str:
    return "deployment shipped by the system" if serial == factory.SERIAL else f"deployment {serial}"


def note_activation(container: Container, entering: Deployment, *, leaving: Deployment | None) -> None:
    """Let the records tell that one deployment became active last, and another one before it."""
    before = [one for one in once_active(container) if one.serial != entering.serial]
    # a rollback from before there were such notes has left none
    if leaving and before and before[-1].serial != leaving.serial:
        _note(leaving, after=before[-1])
    latest = once_active(container)[-1]
    if latest.serial != entering.serial:
        _note(entering, after=latest)


def _note(deployment: Deployment, *, after: Deployment) -> None:
    if deployment.is_factory:
        return
    record = load_deployment(deployment.container, deployment.path).record
    save_record(deployment.path, replace(record, activation=after.record.activation + 1))
