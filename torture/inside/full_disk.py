"""(d) The state on a file system of 64 MiB: until it is full, and what a person does then.

The other side has mounted it at /var/lib/containers.
"""

from collections.abc import Iterator

from torture.inside.command import Done, ours
from torture.inside.judge import Judge, State, Verdict, badly_told, fsck
from torture.inside.of_image import operations
from torture.inside.operation import REGISTRY
from torture.inside.report import Tally
from torture.inside.snapshot import STATE, Snapshot, difference, take

IMAGE = f"{REGISTRY}/filling"


def torture(images: int) -> None:
    """Pull, install and update until nothing more fits; then delete, prune and do it once more."""
    judge = Judge(operations("filling")["update"])
    for operation in ("pull", "install", "update"):
        tally = Tally("d", operation, "disk full")
        failed = 0
        for number in range(1, images + 1):
            failed += _attempt(judge, tally, _words(operation, number), f"image {number}")
        _free(judge, tally, operation)
        tally.finish(note=f"{failed} of {images} did not fit")


def _words(operation: str, number: int) -> tuple[str, ...]:
    image = f"{IMAGE}:{number}"
    if operation == "pull":
        return ("pull", "--insecure", image)
    if operation == "install" or number == 1:
        return ("install", "--insecure", image, "--name", f"filling{number}")
    return ("update", "--insecure", "--rebase", image, "filling1")


def _attempt(judge: Judge, tally: Tally, words: tuple[str, ...], point: str) -> bool:
    """Run a command that succeeds or leaves all as it was; tell whether it failed."""
    before = _take()
    done = ours(*words)
    after = _take()
    wrong = [*badly_told(done), *judge.check()]
    if done.code != 0:
        # an image that came whole before the disk was full may stay
        left = {place: text for place, text in after.items() if not place.startswith("image ")}
        same = {place: text for place, text in before.items() if not place.startswith("image ")}
        wrong += [f"exit code {done.code}: {line}" for line in difference(same, left)]
    state = State.THIRD if wrong else State.BEFORE if done.code else State.AFTER
    tally.codes[str(done.code)] += 1
    tally.count(Verdict(state, wrong), point, f"{' '.join(words)} => {done.code}: {done.said[-300:]}")
    return done.code != 0


def _free(judge: Judge, tally: Tally, operation: str) -> None:
    """Delete all, and see that there is room again."""
    commands = [
        *(("uninstall", name) for name in _containers()),
        *(("images", "delete", image) for image in _images()),
        ("images", "prune"),
        _words(operation, 1),
        *((("uninstall", "filling1"),) if operation != "pull" else ()),
        ("images", "delete", f"{IMAGE}:1"),
        ("images", "prune"),
    ]
    for words in commands:
        _must_work(judge, tally, words)
    for line in fsck():
        tally.count(Verdict(State.THIRD, [line]), "at the end", "")


def _must_work(judge: Judge, tally: Tally, words: tuple[str, ...]) -> None:
    done: Done = ours(*words)
    wrong = [f"on a full disk: exit code {done.code}"] if done.code else judge.check()
    state = State.THIRD if wrong else State.AFTER
    tally.count(Verdict(state, wrong), " ".join(words), done.said[-300:])


def _take() -> Snapshot:
    found: Snapshot = take("filling")
    for name in _containers():
        found |= {f"{name}: {place}": text for place, text in take(name).items()}
    return found


def _containers() -> list[str]:
    return sorted(path.name for path in STATE.glob("filling*") if path.is_symlink())


def _images() -> Iterator[str]:
    for line in ours("images", "list").stdout.splitlines()[1:]:
        name, tag, *_ = line.split()
        yield f"{name}:{tag}"
