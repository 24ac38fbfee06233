"""What came out of a fault: the state before the operation, the state after it, or a third one."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from torture.inside.command import Done, ours, run
from torture.inside.operation import Operation, start_afresh
from torture.inside.snapshot import REPO, Snapshot, difference

# Two versions, each before and after, and what comes first.
MOST_STATES = 8
SETTLE_SECONDS = 10
# as faults.tidied_later words it
TIDIES_LATER = "the next command tries again to tidy up"


class State(StrEnum):
    """Where a host is after a fault."""

    BEFORE = "before"
    AFTER = "after"
    THIRD = "third"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the host, and what is wrong with it."""

    state: State
    wrong: Sequence[str] = ()
    recovery: float = 0.0


@dataclass
class Judge:
    """Knows the state after an operation for each state before it, from runs without faults."""

    operation: Operation
    afters: dict[str, Snapshot] = field(default_factory=dict)
    recoveries: int = 0

    def prepare(self) -> tuple[Snapshot, Snapshot]:
        """Bring the host to a state before the operation; return this and the one after it."""
        for _ in range(MOST_STATES):
            self.operation.prepare()
            before = self.operation.take()
            after = self.afters.get(_key(before))
            if after is not None:
                return before, after
            self.learn(before)
        raise RuntimeError(f"{self.operation.name} never comes back to a state where it was before")

    def learn(self, before: Snapshot) -> None:
        """Run the operation without a fault, and remember what comes after a state."""
        done = ours(*self.operation.words)
        if done.code != 0:
            raise RuntimeError(f"{self.operation.name} fails without a fault: {done.said}")
        self.afters[_key(before)] = self.operation.take()

    def after_kill(self, before: Snapshot, after: Snapshot) -> Verdict:
        """Recover, and judge; then the operation must succeed as if nothing had been."""
        done = self.recover()
        wrong = [*_failed("recover", done), *self.check()]
        verdict = self._compared(before, after, wrong, done.seconds)
        if verdict.state is State.BEFORE:
            verdict = self._redone(after, verdict)
        return self._cleared(verdict)

    def after_error(self, before: Snapshot, after: Snapshot, done: Done) -> Verdict:
        """Judge a command that met an error itself: it must have told, and undone, all by itself.

        Only what it could not tidy up, it may leave to the next command when it says so.
        """
        wrong = badly_told(done)
        if TIDIES_LATER in done.stderr:
            wrong += _failed("recover", self.recover())
        wrong += self.check()
        expected = before if done.code else after
        now = self._settled(expected)
        if now == expected and not wrong:
            return Verdict(State.BEFORE if done.code else State.AFTER)
        wrong += [f"exit code {done.code}: {line}" for line in difference(expected, now)]
        return self._cleared(Verdict(State.THIRD, [*wrong, self._mended(expected)]))

    def _mended(self, expected: Snapshot) -> str:
        """Return what the next boot makes of a state that a command left."""
        ours("recover", "--no-block")
        left = [*difference(expected, self._settled(expected)), *self.check()]
        return f"recover does not mend it: {left[:3]}" if left else "recover mends it"

    def recover(self) -> Done:
        """Recover as a person does, and the next time as systemd does at boot."""
        self.recoveries += 1
        as_at_boot = ["--no-block"] if self.recoveries % 2 == 0 else []
        return ours("recover", *as_at_boot)

    def check(self) -> list[str]:
        """Return what `check` finds."""
        done = ours("check", "--json")
        try:
            return [f"check: {json.dumps(one)}" for one in json.loads(done.stdout)] or _failed("check", done)
        except ValueError:
            return _failed("check", done) or [f"check: no JSON: {done.said}"]

    def _compared(self, before: Snapshot, after: Snapshot, wrong: list[str], recovery: float) -> Verdict:
        now = self._settled(before, after)
        if now in (before, after):
            state = State.AFTER if now == after else State.BEFORE
            return Verdict(State.THIRD if wrong else state, wrong, recovery)
        nearest = min((difference(one, now) for one in (before, after)), key=len)
        return Verdict(State.THIRD, [*wrong, *nearest], recovery)

    def _settled(self, *expected: Snapshot) -> Snapshot:
        """Return the state when it is one of those, at the latest when a service had its time to start."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (now := self.operation.take()) not in expected and time.monotonic() < deadline:
            time.sleep(0.1)
        return now

    def _redone(self, after: Snapshot, verdict: Verdict) -> Verdict:
        done = ours(*self.operation.words)
        if done.code != 0:
            return Verdict(State.THIRD, [f"once more: exit code {done.code}: {done.said}"], verdict.recovery)
        left = difference(after, self.operation.take())
        return (
            Verdict(State.THIRD, [f"once more: {line}" for line in left], verdict.recovery)
            if left
            else verdict
        )

    def _cleared(self, verdict: Verdict) -> Verdict:
        if verdict.state is State.THIRD:
            start_afresh(self.operation.container)
        return verdict


def fsck() -> list[str]:
    """Return what `ostree fsck` finds."""
    return _failed("ostree fsck", run(["ostree", "fsck", "--quiet", f"--repo={REPO}"]))


def _failed(what: str, done: Done) -> list[str]:
    return [f"{what}: exit code {done.code}: {done.said}"] if done.code != 0 else []


def badly_told(done: Done) -> list[str]:
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    wrong = []
    if "Traceback" in done.stderr:
        wrong.append(f"a traceback: {done.said}")
    if done.code != 0 and len(errors) != 1:
        wrong.append(f"exit code {done.code} and {len(errors)} error lines: {done.said}")
    if done.code == 1 or done.code < 0:
        wrong.append(f"exit code {done.code}: {done.said}")
    return wrong


def _key(snapshot: Snapshot) -> str:
    return json.dumps(snapshot, sort_keys=True)
