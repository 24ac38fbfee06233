"""Power cuts while os-containers works: every boot must find the state from before or after, no third.

A whole machine runs updates, rollbacks and more (powercut_guest.py). Its power is cut at a random moment or
write, now and then while it still boots; of what was not flushed, an arbitrary part is lost. It is booted
again, on the same disk, and tells what it has found. One boot a round: after the check it works on until the
next cut.
"""

import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testhost.commands import run
from testhost.powercut_machine import STATE, PreparedMachine, prepared_machine
from testhost.powercut_story import Story
from testhost.storage import cache_directory
from testhost.virtual_machine import VirtualMachine
from testhost.volatile_disk import VolatileDisk

BOOT_SECONDS = 300
# About as long as a few operations take, and as many writes and flushes as they and a boot need.
WORK_SECONDS = 60
WORK_STEPS = 300
BOOT_STEPS = 60
BOOT_CUTS = 0.15
STEP_CUTS = 0.6
# How likely a block that was not flushed is on the disk after all.
KEPT = (0.0, 0.5, 1.0)
# How many disks that had something wrong are there to be looked at.
KEPT_DISKS = 4


@dataclass(frozen=True, slots=True)
class Round:
    """A boot and its work: after what, what it told, how it was cut."""

    after: str
    story: Story
    cut: str
    seconds: float


def play(file_system: str, rounds: int, seed: str) -> int:
    """Boot after so many power cuts; return 0 when no boot has found anything wrong."""
    seed = seed or secrets.token_hex(4)
    print(f"powercut: {rounds} power cuts on {file_system}, SEED={seed}", flush=True)
    played: list[Round] = []
    # also of a run that somebody has had enough of
    with contextlib.suppress(KeyboardInterrupt), prepared_machine(file_system) as machine:
        for one in _rounds(machine, rounds, random.Random(seed)):  # noqa: S311 - not for secrets
            _show(len(played), one)
            if one.story.problems:
                _keep(machine, f"{file_system}-{seed}-{len(played)}")
            played.append(one)
    _show_table(played)
    return 1 if any(one.story.problems for one in played) else 0


def _rounds(machine: PreparedMachine, cuts: int, dice: random.Random) -> Iterator[Round]:
    after, story = "no cut", _new_disk(machine)
    for _ in range(cuts + 1):
        started = time.monotonic()
        cut = _run_until_cut(machine, story, dice)
        yield Round(after, story, cut, time.monotonic() - started)
        after, story = (
            ("no cut", _new_disk(machine)) if story.problems else (story.doing, Story(story.allowed))
        )


def _new_disk(machine: PreparedMachine) -> Story:
    run(["cp", "--reflink=auto", "--sparse=always", machine.clean_disk, machine.disk])
    return Story(frozenset({STATE}))


def _run_until_cut(machine: PreparedMachine, story: Story, dice: random.Random) -> str:
    """Boot and let work until the power goes; return how that was."""
    with contextlib.closing(VolatileDisk(machine.disk)) as disk:
        with VirtualMachine.powered_on(machine.hardware, disk, machine.console) as running:
            _watch(running, disk, story, dice)
            _hear_the_rest(running, story)
        kept = dice.choice(KEPT)
        lost = disk.settle(dice, kept=kept)
    return f"after {disk.steps} writes; {lost} unflushed blocks lost, {kept:.0%} kept"


def _watch(running: VirtualMachine, disk: VolatileDisk, story: Story, dice: random.Random) -> None:
    until = time.monotonic() + BOOT_SECONDS
    if dice.random() < BOOT_CUTS:
        disk.cut_power_after(dice.randint(1, BOOT_STEPS))
    while not (disk.power_lost.is_set() or story.problems):
        booting = not story.checked
        _hear(running, story)
        if booting and story.checked:
            until = _plan_cut(disk, dice)
        if time.monotonic() > until:
            disk.cut_power()
            if not story.checked:
                story.problems.append(f"no check within {BOOT_SECONDS} s")
    disk.cut_power()


def _plan_cut(disk: VolatileDisk, dice: random.Random) -> float:
    """Plan the cut for a write, of which a command does many in no time; else return a time for it."""
    if dice.random() < STEP_CUTS:
        disk.cut_power_after(dice.randint(1, WORK_STEPS))
        return time.monotonic() + BOOT_SECONDS
    return time.monotonic() + dice.uniform(0, WORK_SECONDS)


def _hear(running: VirtualMachine, story: Story) -> None:
    try:
        for line in running.read_lines(timeout=0.1):
            story.hear(line)
    except EOFError:
        story.problems.append(f"the machine switched itself off, {story.doing} going on")


def _hear_the_rest(running: VirtualMachine, story: Story) -> None:
    # whatever has reached the disk, its beginning was told before
    with contextlib.suppress(EOFError):
        while lines := running.read_lines(timeout=0.2):
            for line in lines:
                story.hear(line)


def _show(number: int, one: Round) -> None:
    found = one.story.found or "not asked"
    print(
        f"{number:3}  after a cut in {one.after}: {found}; boot {one.story.boot:.0f} s, recovery"
        f" {one.story.recovery:.1f} s; {one.story.operations} commands; cut in {one.story.doing}"
        f" {one.cut}; {one.seconds:.0f} s",
        *(f"     NOT SO: {problem}" for problem in one.story.problems),
        sep="\n",
        flush=True,
    )


def _show_table(played: Sequence[Round]) -> None:
    cuts = Counter(one.after for one in played)
    bad = Counter(one.after for one in played if one.story.problems)
    print(f"\n{'cut in':44} {'cuts':>5} {'third states':>13}")
    for name, count in sorted(cuts.items()):
        print(f"{name:44} {count:5} {bad[name]:13}")
    if played:
        _show_figures(played)


def _show_figures(played: Sequence[Round]) -> None:
    stories = [one.story for one in played]
    bad = sum(bool(story.problems) for story in stories)
    print(
        f"\n{len(played)} boots, {sum(story.operations for story in stories)} commands carried out,"
        f" {bad} third states; slowest recovery {max(story.recovery for story in stories):.1f} s,"
        f" slowest boot {max(story.boot for story in stories):.0f} s,"
        f" {sum(one.seconds for one in played) / len(played):.0f} s"
        " a round"
    )


def _keep(machine: PreparedMachine, name: str) -> None:
    directory = cache_directory() / "powercut"
    directory.mkdir(exist_ok=True)
    for old in sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime)[: -2 * KEPT_DISKS + 2]:
        old.unlink()
    for kept in (machine.disk, machine.console):
        run(["cp", "--sparse=always", kept, directory / f"{name}{kept.suffix}"])
    print(f"     kept: {directory}/{name}{machine.disk.suffix} and its console")
