"""Rows about what is in the store: an image built anew, and the checkout of one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import limit, podman
from bench.big_image import Image, big_image, rebuilt_image
from bench.disk import Disk, copied_disk, fresh_disk, prepared_disk
from bench.measure import Command, Usage, by_turns, measure, middle
from bench.program import Program, check_store
from bench.result import OURS, Figure, Result, compared
from bench.setting import Setting

GROWTH_TO_CHANGED = 1.1
CHECKOUT_TO_COPY = 1.3
PODMAN = "podman"
COPY = "cp -al"
LIBOSTREE = "libostree"
DIGESTS = "openssl dgst"
_NAME = "big"


def pull_rebuilt(setting: Setting) -> Result:
    """Pull a rebuilt image beside the one before, and see by how much the disk grows."""
    first, second = big_image(), rebuilt_image()

    def ours() -> Usage:
        with fresh_disk() as disk:
            variables = setting.program.environment(disk)
            measure(setting.program.call("pull", first.reference), environment=variables)
            command = setting.program.call("pull", second.reference)
            usage = _grown(disk, second, lambda: measure(command, environment=variables))
            check_store(disk)
            return usage

    def peer() -> Usage:
        with fresh_disk() as disk:
            variables = podman.environment(disk)
            measure(podman.call(disk, "pull", first.reference), environment=variables)
            command = podman.call(disk, "pull", second.reference)
            return _grown(disk, second, lambda: measure(command, environment=variables))

    runs = by_turns(setting.rounds, {OURS: ours, PODMAN: peer})
    grown = {name: middle(usages, lambda usage: usage.growth) / 1e6 for name, usages in runs.items()}
    changed = second.changed_bytes / 1e6
    figures = [
        Figure("growth to the changed files", "MB", grown[OURS], "changed", changed, GROWTH_TO_CHANGED),
        Figure("growth to podman", "MB", grown[OURS], PODMAN, grown[PODMAN]),
        compared("time to podman", runs, PODMAN, None),
    ]
    title = (
        f"pull of a rebuilt image: all layers new, {second.changed_files} of {second.files:,} files changed"
    )
    return Result("pull-rebuilt", title, figures, runs)


def checkout(setting: Setting) -> Result:
    """Make a tree of hard links of all files of the image."""
    image, program = big_image(), setting.program

    def prepare(disk: Disk) -> None:
        measure(
            program.call("pull", image.reference, f"--name-image={_NAME}"),
            environment=program.environment(disk),
        )
        _check_out(program, disk, disk.directory / "os-containers/first")

    with prepared_disk("checkout", prepare) as template:

        def in_copy(run: Callable[[Disk, Path, Path], Usage]) -> Callable[[], Usage]:
            return lambda: _in_warm_copy(template, run)

        contestants = {
            OURS: in_copy(lambda disk, _, target: _check_out(program, disk, target)),
            COPY: in_copy(lambda _, tree, target: measure(limit.copy_links(tree, target))),
            LIBOSTREE: in_copy(lambda disk, _, target: measure(_libostree(program, disk, target))),
            DIGESTS: in_copy(lambda _, tree, __: measure(limit.hash_tree(tree))),
        }
        runs = by_turns(setting.rounds, contestants)
    both = middle(runs[COPY]) + middle(runs[DIGESTS])
    figures = [
        compared("time to cp -al", runs, COPY, CHECKOUT_TO_COPY),
        compared("time to ostree checkout", runs, LIBOSTREE, None),
        Figure("time to cp -al + digests", "s", middle(runs[OURS]), f"{COPY} + {DIGESTS}", both),
        compared("ostree checkout to cp -al", runs, COPY, None, ours=LIBOSTREE),
    ]
    return Result("checkout", f"checkout of {image.files:,} files, every object verified", figures, runs)


def _grown(disk: Disk, image: Image, run: Callable[[], Usage]) -> Usage:
    limit.read_ahead(image)
    before = disk.used()
    usage = run()
    return replace(usage, growth=disk.used() - before)


def _check_out(program: Program, disk: Disk, target: Path) -> Usage:
    usage = measure(program.driver(_NAME, target), environment=program.environment(disk))
    # from inside: how long the program takes to start is another row
    return replace(usage, wall=float(usage.said), said="")


def _in_warm_copy(template: Path, run: Callable[[Disk, Path, Path], Usage]) -> Usage:
    with copied_disk(template) as disk:
        tree, target = (disk.directory / "os-containers" / name for name in ("first", "second"))
        # all of the repo, the lists of names, too
        limit.read_ahead_tree(Program.repo(disk) / "objects")
        limit.read_ahead_tree(tree)
        return run(disk, tree, target)


def _libostree(program: Program, disk: Disk, target: Path) -> Command:
    refs = list((program.repo(disk) / "refs/heads").rglob("*"))
    image = next(ref for ref in refs if ref.is_file() and _NAME in ref.name)
    return [
        "ostree", f"--repo={program.repo(disk)}", "checkout", "--require-hardlinks", "--fsync=no",
        image.read_text().strip(), target,
    ]  # fmt: skip
