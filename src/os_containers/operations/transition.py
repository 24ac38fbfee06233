"""The one way in which a host changes: from the deployment that is leaving to the one that is entering.

Install has none that leaves, uninstall none that enters. Here is what the change is and in which order its
steps come; carry_out.py takes them, rehearsal.py only tells them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment
from os_containers.host.hostfiles import HostPlan
from os_containers.host.writable import check_writable
from os_containers.operations import host_changes, service
from os_containers.operations.journal import Journal, ServiceState
from os_containers.operations.made_directories import obsolete_directories, older_directories
from os_containers.operations.retention import retained
from os_containers.operations.system import System


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the active deployment; before and after say how its service was, and how it is to be.

    is_fresh says that the entering deployment was made for this change; missing are the host files of the
    leaving one that somebody had removed.
    """

    operation: str
    container: Container
    leaving: Deployment | None
    entering: Deployment | None
    before: ServiceState
    after: ServiceState
    is_fresh: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_end(self) -> bool:
        """Tell whether nothing of ours stays; the distribution's own deployment may enter."""
        return self.operation == "uninstall"

    @property
    def is_still(self) -> bool:
        """Tell whether what is active stays so, and only what is beside it goes."""
        leaving, entering = self.leaving, self.entering
        return leaving is not None and entering is not None and leaving.path == entering.path

    @property
    def is_start(self) -> bool:
        """Tell whether the service is started when all is in place."""
        has_service = self.entering is not None and self.entering.record.has_service
        return has_service and self.after.running and not self.is_still

    def journal(self) -> Journal:
        """Return what recovery must know of it."""
        return Journal(
            operation=self.operation,
            container=self.container.name,
            leaving=self.leaving.serial if self.leaving else None,
            entering=self.entering.serial if self.entering else None,
            before=self.before,
            after=self.after,
            is_fresh=self.is_fresh,
            missing=self.missing,
        )


def switch(
    system: System, operation: str, leaving: Deployment, entering: Deployment, *, is_fresh: bool
) -> Transition:
    """Return the change from one deployment to another; enabled and running stay as the admin left them.

    A service that had failed is started: that is what many an update is for.
    """
    container = system.container(leaving.container)
    unit = service.unit_state(system, container)
    service.warn_of_stopped(system, container, unit)
    before = service.state_to_keep(unit)
    after = service.state_of_next(unit, leaving)
    return Transition(operation, container, leaving, entering, before, after, is_fresh)


def planned_files(system: System, transition: Transition) -> HostPlan:
    """Return what becomes of the host files, by what is on the host now."""
    # the entering one, too: it may have been active before, or be half-way in
    ours = [transition.leaving, transition.entering]
    # a package that came later has them by now
    brought = host_changes.files_of_factory(system, transition.container)
    return host_changes.plan(system, transition.container, transition.entering, ours=ours, brought=brought)


def checked_plan(system: System, transition: Transition) -> HostPlan:
    """Return what becomes of the host files; a conflict and a read-only disk show before anything is done."""
    plan = planned_files(system, transition)
    check_writable(plan)
    host_changes.check_record(transition.container, transition.leaving, transition.entering, plan)
    host_changes.check_units(system, transition.container, transition.leaving, transition.entering)
    return plan


class Hands(Protocol):
    """What a switch does by itself; the plan of one only tells it."""

    def commit(self) -> None: ...
    def change_host_files(self) -> None: ...
    def remove_directories(self, owner: Deployment, directories: Collection[str]) -> None: ...
    def tell_kept(self, owner: Deployment, directories: Collection[str]) -> None: ...


def switch_host(system: System, transition: Transition, hands: Hands) -> None:
    """Take the steps of a transition that come while its service is away, in their order."""
    container, leaving, entering = transition.container, transition.leaving, transition.entering
    if not transition.is_still:
        _switch_service(system, transition, hands)
    elif entering:
        system.tell(
            f"{container.name} stays: the system provides it, in {entering.path}; the rest is removed"
        )
    if leaving and transition.is_end:
        obsolete = obsolete_directories(container, leaving, entering)
        hands.remove_directories(leaving, obsolete)
        hands.tell_kept(leaving, older_directories(container, entering) - obsolete)


def _switch_service(system: System, transition: Transition, hands: Hands) -> None:
    container, leaving, entering = transition.container, transition.leaving, transition.entering
    if entering and entering.is_factory:
        system.tell(f"{container.name} is again what the system provides, in {entering.path}")
    if not entering or not entering.record.has_service:
        service.disable(system, container)
    hands.commit()
    hands.change_host_files()
    host_changes.change_unit_files(system, container, entering)
    if entering and entering.record.has_service and transition.after.enabled:
        was_enabled = transition.before.enabled
        service.enable(system, container, entering, instead_of=leaving, was_enabled=was_enabled)


def tell_unstarted(system: System, transition: Transition) -> None:
    """Say that another deployment is active where no start of its service says so."""
    entering = transition.entering
    if transition.leaving and entering and not transition.is_start and not transition.is_end:
        service_too = f"; {transition.container.service} was not running, and is not started"
        is_active = f"deployment {entering.serial} of {entering.container} is active"
        system.tell(f"{is_active}{service_too if entering.record.has_service else ''}")


def kept_serials(system: System, transition: Transition) -> list[int]:
    """Return the serials of the deployments that stay once a transition is done."""
    entering, leaving = transition.entering, transition.leaving
    if not entering or transition.is_end:
        return []
    if not leaving:
        # whatever else is there was of a container that is gone
        return [entering.serial]
    return retained(system, transition.container, (entering.serial, leaving.serial))
