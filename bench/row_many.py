"""Rows about a store with a hundred images: listed, and pruned after one was deleted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.disk import Disk, copied_disk, prepared_disk
from bench.measure import Command, Usage, by_turns, measure, middle
from bench.program import Program, check_store
from bench.result import OURS, Figure, Result, compared
from bench.setting import Setting
from bench.small_images import FILES, IMAGES, LAYERS, many_images, tag_of

LIST_SECONDS = 0.5
PRUNE_TO_LIBOSTREE = 2.0
LIBOSTREE = "ostree prune"
_NAME = "registry.example/{}:1"


def images_list(setting: Setting) -> Result:
    """List them all; that changes nothing, so that all runs share one disk."""
    program = setting.program
    with _store(program) as template, copied_disk(template) as disk:
        variables = program.environment(disk)
        contestants: dict[str, Callable[[], Usage]] = {
            OURS: lambda: measure(program.call("images", "list"), environment=variables),
            "--json": lambda: measure(program.call("images", "list", "--json"), environment=variables),
        }
        runs = by_turns(setting.rounds, contestants)
    figures = [
        Figure("time", "s", middle(runs[OURS]), goal=LIST_SECONDS),
        Figure("time with --json", "s", middle(runs["--json"]), goal=LIST_SECONDS),
    ]
    return Result("images-list", f"list of {IMAGES} images of {LAYERS} layers", figures, runs)


def prune(setting: Setting) -> Result:
    """Free what one deleted image of a hundred alone has used."""
    program = setting.program

    def ours(template: Path) -> Usage:
        with copied_disk(template) as disk:
            variables = program.environment(disk)
            measure(program.call("images", "delete", _NAME.format(0)), environment=variables)
            usage = measure(program.call("images", "prune"), environment=variables)
            check_store(disk)
            return usage

    def bare(template: Path) -> Usage:
        with copied_disk(template) as disk:
            variables = program.environment(disk)
            measure(program.call("images", "delete", _NAME.format(0)), environment=variables)
            return measure(_libostree(program, disk))

    with _store(program) as store:
        runs = by_turns(setting.rounds, {OURS: lambda: ours(store), LIBOSTREE: lambda: bare(store)})
    figures = [compared("time to ostree prune --refs-only", runs, LIBOSTREE, PRUNE_TO_LIBOSTREE)]
    title = f"prune after one of {IMAGES} images was deleted, {IMAGES * LAYERS * FILES:,} files in all"
    return Result("prune", title, figures, runs)


@contextmanager
def _store(program: Program) -> Iterator[Path]:
    layout = many_images()

    def prepare(disk: Disk) -> None:
        print(f"  pulling {IMAGES} images", flush=True)
        for number in range(IMAGES):
            name = f"--name-image={_NAME.format(number)}"
            measure(
                program.call("pull", f"oci:{layout}:{tag_of(number)}", name),
                environment=program.environment(disk),
            )

    with prepared_disk("many", prepare) as template:
        yield template


def _libostree(program: Program, disk: Disk) -> Command:
    """Return what frees the objects alone: it finds no layers whose refs go with the image."""
    return ["ostree", "prune", "--refs-only", f"--repo={program.repo(disk)}"]
