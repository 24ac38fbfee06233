"""The row about images that grow: the time of a pull follows files and bytes, the memory stays."""

from collections.abc import Callable, Mapping

from bench import limit
from bench.big_image import Image
from bench.disk import fresh_disk
from bench.measure import Usage, by_turns, measure, middle
from bench.program import check_store
from bench.result import Figure, Result
from bench.setting import Setting
from bench.small_images import growing_image

FACTORS = (1, 2, 4)
# Time at 4x to four times the time at 1x; memory at 4x to that at 1x.
LINEAR = 1.1
FLAT = 1.1
# files, and bytes of each, at 1x
SERIES: Mapping[str, Callable[[int], tuple[int, int]]] = {
    "files": lambda factor: (10_000 * factor, 4_000),
    "bytes": lambda factor: (500, 250_000 * factor),
}


def growth(setting: Setting) -> Result:
    """Pull images of 1x, 2x and 4x the files, then of the bytes in each."""

    def ours(image: Image) -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            command = setting.program.call("pull", image.reference)
            usage = measure(command, environment=setting.program.environment(disk))
            check_store(disk)
            return usage

    def bare(image: Image) -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            return measure(limit.unpack(image, disk))

    runs: dict[str, list[Usage]] = {}
    for name, size in SERIES.items():
        images = {factor: growing_image(*size(factor)) for factor in FACTORS}
        contestants: dict[str, Callable[[], Usage]] = {}
        for factor, image in images.items():
            contestants[f"{name} {factor}x"] = lambda image=image: ours(image)  # type: ignore[misc]
            contestants[f"{name} {factor}x limit"] = lambda image=image: bare(image)  # type: ignore[misc]
        runs |= by_turns(setting.rounds, contestants)
    figures = [figure for name in SERIES for figure in _figures(name, runs)]
    return Result("growth", "growth of an image: 1x, 2x, 4x", figures, runs, _lines(runs))


def _figures(name: str, runs: Mapping[str, list[Usage]]) -> list[Figure]:
    small, large = runs[f"{name} 1x"], runs[f"{name} 4x"]
    memory = [middle(usages, lambda usage: usage.memory) / 2**20 for usages in (large, small)]
    return [
        Figure(f"time at 4x {name}", "s", middle(large), "4 x that at 1x", 4 * middle(small), LINEAR),
        Figure(f"memory at 4x {name}", "MiB", memory[0], "at 1x", memory[1], FLAT),
    ]


def _lines(runs: Mapping[str, list[Usage]]) -> dict[str, dict[str, float]]:
    time = {
        f"time, {name}{suffix}": {str(f): middle(runs[f"{name} {f}x{suffix}"]) for f in FACTORS}
        for name in SERIES
        for suffix in ("", " limit")
    }
    memory = {
        f"memory, {name}": {
            str(f): middle(runs[f"{name} {f}x"], lambda usage: usage.memory) / 2**20 for f in FACTORS
        }
        for name in SERIES
    }
    return time | memory
