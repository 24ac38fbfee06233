"""(f) Commands at the same time, a few containers, one store: the result is that of some order."""

import random
import re
from concurrent.futures import ThreadPoolExecutor

from torture.inside.command import Done, must, ours, run
from torture.inside.judge import Judge, State, Verdict, fsck
from torture.inside.of_image import operations
from torture.inside.operation import CARGO, REGISTRY, start_afresh, tag
from torture.inside.report import Tally
from torture.inside.snapshot import STATE, Snapshot, active_version, difference, leftovers, take_host

IMAGE = f"{REGISTRY}/torture"
NAMES = ("one", "two", "three")
AT_ONCE = 4
# so many commands, then everything is looked at
BATCH = 8
START_SHARE = 0.5
MARKER = "/run/NAME.version"
STATE_OF_UNIT = "unit ActiveState"
# ok; not found; conflict; busy
GOOD_CODES = frozenset({0, 3, 6, 7})


def torture(runs: int, seed: int) -> None:
    """Run mixed commands, a few at a time, and look at everything in between."""
    judge = Judge(operations("torture")["update"])
    tally = Tally("f", "all", f"{AT_ONCE} at once")
    tag("torture", "1")
    references = {version: _reference(version) for version in ("1", "2")}
    source = random.Random(seed)  # noqa: S311 - not a secret
    with ThreadPoolExecutor(AT_ONCE) as workers:
        while tally.points < runs:
            _start_some(source)
            batch = [_command(source) for _ in range(BATCH)]
            ended = [*workers.map(lambda words: ours(*words), batch)]
            _look(judge, tally, batch, ended, references)
    for name in NAMES:
        start_afresh(name)
    tally.finish()


def _start_some(source: random.Random) -> None:
    """Let some services run, as an admin would."""
    for name in NAMES:
        if source.random() < START_SHARE and active_version(name):
            run(["systemctl", "start", name])


def _command(source: random.Random) -> tuple[str, ...]:
    name, version = source.choice(NAMES), source.choice("12")
    return source.choice([
        ("install", f"{IMAGE}:{version}", "--name", name),
        ("install", f"{IMAGE}:{version}", "--name", name),
        ("update", "--rebase", f"{IMAGE}:{version}", name),
        ("update", "--rebase", f"{IMAGE}:{version}", name),
        ("rollback", name),
        ("uninstall", name),
        ("pull", "--insecure", CARGO),
        ("images", "delete", CARGO),
        ("images", "prune"),
        ("containers", "list", "--all"),
        ("images", "list"),
        ("images", "tag", f"{IMAGE}:{version}", f"{IMAGE}:latest"),
    ])  # fmt: skip


def _look(
    judge: Judge,
    tally: Tally,
    batch: list[tuple[str, ...]],
    ended: list[Done],
    references: dict[str, Snapshot],
) -> None:
    wrong = [*judge.check(), *fsck(), *(line for name in NAMES for line in _unlike(name, references))]
    wrong += [f"left {path}" for path in leftovers(NAMES[0])]
    for words, done in zip(batch, ended, strict=True):
        tally.codes[str(done.code)] += 1
        bad = [] if done.code in GOOD_CODES else [f"{words[0]}: exit code {done.code}: {done.said}"]
        if "Traceback" in done.stderr:
            bad.append(f"a traceback: {done.said}")
        tally.count(Verdict(State.THIRD if bad else State.AFTER, bad), " ".join(words), "")
    if wrong:
        shown = "; ".join(
            f"{' '.join(words)} => {done.code}" for words, done in zip(batch, ended, strict=True)
        )
        tally.count(Verdict(State.THIRD, wrong), "all of a batch", shown)
        for name in NAMES:
            start_afresh(name)


def _unlike(name: str, references: dict[str, Snapshot]) -> list[str]:
    """Return what a container has on the host that its active version does not have, or the other way."""
    version = active_version(name)
    if not version and (STATE / name).is_symlink():
        return [f"{name}: broken"]
    # an uninstalled one is as one that never was
    expected = references[version] if version else _host("nobody")
    found = _host(name)
    runs = found.get(STATE_OF_UNIT) == "ActiveState=active"
    wrong = difference(_at_rest(expected), _at_rest(found))
    if runs and f" {version}" not in found.get(MARKER, ""):
        wrong.append(f"another version runs: {found.get(MARKER)}")
    return [f"{name}, version {version}: {line}" for line in wrong]


def _at_rest(host: Snapshot) -> Snapshot:
    """Return what does not depend on whether the service runs."""
    passing = {MARKER, STATE_OF_UNIT, "unit SubState"}
    return {place: text for place, text in host.items() if place not in passing}


def _reference(version: str) -> Snapshot:
    must("os-containers", "install", f"{IMAGE}:{version}", "--name", "one")
    host = _host("one")
    must("os-containers", "uninstall", "one")
    return host


def _host(name: str) -> Snapshot:
    """Return what is outside our directories, whatever the container's name and serials."""
    return {_nameless(place, name): _nameless(text, name) for place, text in take_host(name).items()}


def _nameless(text: str, name: str) -> str:
    return re.sub(r"\.deploy/NAME/\d+", ".deploy/NAME/N", re.sub(rf"\b{name}\b", "NAME", text))
