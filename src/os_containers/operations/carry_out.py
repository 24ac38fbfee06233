"""Carry a transition out; go back to the state from before when a step fails.

The journal is written before the first change and removed after the last. Each step finds out what is to be
done from what is there, so a change that was broken off at any point is ended by taking the same steps again,
and undone by taking them the other way.
"""

import contextlib
import signal
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import msgspec

from os_containers.deployment.container import Container
from os_containers.deployment.deployment import Deployment, load_deployment, save_record
from os_containers.deployment.history import note_activation
from os_containers.errors import BrokenError, OsContainersError, ServiceError
from os_containers.events import Warned
from os_containers.faults import in_words
from os_containers.host.hostfiles import HostPlan
from os_containers.host.prepared_files import (
    PreparedFiles,
    apply_host_files,
    nothing_prepared,
    prepare_host_files,
)
from os_containers.operations import host_changes, service
from os_containers.operations.given_up import note_end, note_failure
from os_containers.operations.journal import Journals
from os_containers.operations.leftovers import remove_temporaries
from os_containers.operations.made_directories import new_directories, remove_directories, tell_staying
from os_containers.operations.recoverable import told_only
from os_containers.operations.retention import discard, keep_only
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.operations.transition import (
    Transition,
    checked_plan,
    kept_serials,
    planned_files,
    switch,
    switch_host,
    tell_unstarted,
)
from os_containers.operations.unit_problems import unit_file_problems
from os_containers.ostree.repo import Repo
from os_containers.process import ENDING


def carry_out(system: System, repo: Repo, transition: Transition) -> None:
    """Make the entering deployment the active one, or change nothing.

    Raises ConflictError or ImageError before anything was changed, ServiceError when the service did not
    start and the state from before is back, BrokenError when the way back failed too.
    """
    transition = replace(transition, missing=host_changes.missing_files(transition.leaving))
    with contextlib.ExitStack() as waiting:
        try:
            plan = checked_plan(system, transition)
            system.journals.write(transition.journal())
            prepared = waiting.enter_context(prepare_host_files(plan, transition.container.name))
        except BaseException:
            _remove_temporaries(system, transition.container)
            _forget(system, repo, transition)
            raise
        _Attempt(system, repo, transition, Start.WATCHED, prepared).go_or_go_back()


def switch_deployment(
    system: System, repo: Repo, operation: str, leaving: Deployment, entering: Deployment, *, is_fresh: bool
) -> None:
    """Go over from one deployment to another, as switch says."""
    try:
        transition = switch(system, operation, leaving, entering, is_fresh=is_fresh)
    except BaseException:
        if is_fresh:
            with told_only(system):
                discard(system, repo, system.container(leaving.container), entering.serial)
        raise
    carry_out(system, repo, transition)


def complete(system: System, repo: Repo, transition: Transition, how: Start) -> None:
    """End a transition that was broken off behind its commit point; undo it when that does not work."""
    with nothing_prepared(transition.container.name) as prepared:
        _Attempt(system, repo, transition, how, prepared).go_or_go_back()


def go_back(system: System, repo: Repo, transition: Transition, how: Start) -> None:
    """Bring back the state from before a transition that was broken off, however far it had come."""
    with nothing_prepared(transition.container.name) as prepared:
        _Attempt(system, repo, transition, how, prepared).go_back()


def tidy_up(system: System, repo: Repo, transition: Transition) -> None:
    """Remove what a transition that is done leaves, and note how it ended; its service is not touched."""
    container, entering = transition.container, transition.entering
    if entering:
        note_activation(container, entering, leaving=transition.leaving)
    note_end(system, transition)
    keep_only(system, repo, container, kept_serials(system, transition))
    system.journals.remove(container.name)


def runs_on(system: System, transition: Transition) -> bool:
    """Tell whether the service of the leaving deployment runs, and nothing under it has changed yet.

    It need not be stopped then to undo a transition.
    """
    container, leaving = transition.container, transition.leaving
    if not leaving or not leaving.record.has_service or container.active_path() != leaving.path:
        return False
    unit = service.unit_state(system, container)
    # one that was told to stop may seem to run for a moment
    if unit.active != "active" or unit.has_job:
        return False
    # what cannot be told counts as changed
    with contextlib.suppress(OsContainersError, OSError):
        files = _plan_back(system, transition).changes
        return not any(one.changes_host for one in files) and not any(unit_file_problems(system, leaving))
    return False


@dataclass(frozen=True, slots=True)
class _Hands:
    """What really does it."""

    system: System
    transition: Transition
    plan: HostPlan
    prepared: PreparedFiles

    def commit(self) -> None:
        container, leaving = self.transition.container, self.transition.leaving
        entering = self.transition.entering
        if not entering:
            container.forget()
            return
        if not entering.is_factory:
            record = host_changes.activated_record(container, leaving, entering, self.plan)
            save_record(entering.path, replace(record, enabled=self.transition.after.enabled))
        container.switch(entering)

    def change_host_files(self) -> None:
        apply_host_files(self.plan, self.prepared, self.system.on_event)

    def remove_directories(self, owner: Deployment, directories: Collection[str]) -> None:
        remove_directories(self.system, owner, directories)

    def tell_kept(self, owner: Deployment, directories: Collection[str]) -> None:
        tell_staying(self.system, owner, directories, ())


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A transition under way, forward or back, with the host files that wait for it."""

    system: System
    repo: Repo
    transition: Transition
    how: Start
    prepared: PreparedFiles

    def go_or_go_back(self) -> None:
        try:
            self._go()
        except BaseException as error:
            self._go_back_because(error)
            raise
        with _undisturbed(), told_only(self.system):
            if self.prepared.discard():
                tidy_up(self.system, self.repo, self.transition)

    def go_back(self) -> None:
        system, container, leaving = self.system, self.transition.container, self.transition.leaving
        with _undisturbed():
            if self.transition.is_still:
                _forget(system, self.repo, self.transition)
                return
            self._note_way_back()
            is_disturbed = not runs_on(system, self.transition)
            if is_disturbed:
                service.stop(system, container)
            with system.host_locked():
                # what somebody wrote into a host file, and a failed step took away, is put back
                _remove_temporaries(system, container, needed=self.prepared.names())
                self._restore()
            was_running = leaving and leaving.record.has_service and self.transition.before.running
            if is_disturbed and was_running:
                service.start_again(system, container, self.how, self.transition.before)
            if self.prepared.discard():
                _forget(system, self.repo, self.transition)

    def _go(self) -> None:
        system, container = self.system, self.transition.container
        # a service may take its time to stop and to start: other containers do not wait for that
        if not self.transition.is_still:
            service.stop(system, container)
        with system.host_locked():
            self._switch()
        if self.transition.is_start:
            service.start(system, container, self.how)
        tell_unstarted(system, self.transition)
        # before an older deployment goes: no boot takes the change back now, no recovery its steps again
        system.journals.write(msgspec.structs.replace(self.transition.journal(), is_proven=True))

    def _switch(self) -> None:
        # only now: a daemon may save its configuration when it is stopped
        plan = planned_files(self.system, self.transition)
        switch_host(self.system, self.transition, _Hands(self.system, self.transition, plan, self.prepared))

    def _note_way_back(self) -> None:
        """Write it down if there is room: without that a second crash costs a second try."""
        journals, journal = self.system.journals, self.transition.journal()
        try:
            journals.write(msgspec.structs.replace(journal, is_undone=True))
        except OSError:
            # recovery would take for done what is half undone
            if _is_proven(journals, journal.container):
                raise

    def _restore(self) -> None:
        """Take the steps of switch_host the other way; the record of the leaving deployment is as it was."""
        system, transition, container = self.system, self.transition, self.transition.container
        leaving, entering = transition.leaving, _reloaded(transition.entering)
        plan = _plan_back(system, transition)
        if not leaving or not leaving.record.has_service or not transition.before.enabled:
            service.disable(system, container)
        if leaving:
            container.switch(leaving)
        else:
            container.forget()
        apply_host_files(plan, self.prepared, system.on_event)
        host_changes.change_unit_files(system, container, leaving)
        if leaving and leaving.record.has_service and transition.before.enabled:
            service.enable(system, container, leaving, instead_of=entering, was_enabled=False)
        if entering:
            made = new_directories(container, leaving, entering, is_fresh=transition.is_fresh)
            remove_directories(system, entering, made)

    def _go_back_because(self, cause: BaseException) -> None:
        name = self.transition.container.name
        said = in_words(cause).rstrip(".") or "interrupted"
        self.system.on_event(Warned(f"{said}; going back to the previous state"))
        if isinstance(cause, ServiceError):
            with _undisturbed():
                note_failure(self.system, self.transition, cause.message)
        try:
            self.go_back()
        except (OsContainersError, OSError) as error:
            raise BrokenError(
                f"{name}: {said}; going back failed, too: {in_words(error)}",
                hint=f"fix what is named here, then: os-containers recover {name}",
            ) from error


def _is_proven(journals: Journals, name: str) -> bool:
    """Tell whether the journal on disk says so; what cannot be read does not."""
    with contextlib.suppress(OsContainersError, OSError):
        written = journals.read(name)
        return written is not None and written.is_proven
    return False


def _plan_back(system: System, transition: Transition) -> HostPlan:
    leaving, missing = transition.leaving, frozenset(transition.missing)
    ours = [leaving, _reloaded(transition.entering)]
    return host_changes.plan(system, transition.container, leaving, ours=ours, left_out=missing)


def _remove_temporaries(system: System, container: Container, *, needed: Collection[str] = ()) -> None:
    with told_only(system):
        remove_temporaries(system, container, needed=needed)


def _forget(system: System, repo: Repo, transition: Transition) -> None:
    """Leave nothing of a transition that did not come to be."""
    with told_only(system):
        if transition.is_fresh and transition.entering:
            discard(system, repo, transition.container, transition.entering.serial)
        system.journals.remove(transition.container.name)


def _reloaded(deployment: Deployment | None) -> Deployment | None:
    """Return a deployment with its record as it is on disk now: it says what was put on the host."""
    return load_deployment(deployment.container, deployment.path) if deployment else None


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal stop us half-way: whoever is impatient pressed the key twice."""
    # not pthread_sigmask: a signal that another thread takes is handled in this one all the same
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING} if _in_main_thread() else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
