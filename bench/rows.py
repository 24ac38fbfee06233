"""All rows, by name, in the order in which they run."""

from collections.abc import Callable, Mapping

from bench import row_growth, row_host, row_many, row_pull, row_start, row_store
from bench.result import Result
from bench.setting import Setting

ROWS: Mapping[str, Callable[[Setting], Result]] = {
    "pull-big": row_pull.pull_big,
    "pull-big-registry": row_pull.pull_big_registry,
    "pull-again": row_pull.pull_again,
    "progress": row_pull.progress,
    "pull-rebuilt": row_store.pull_rebuilt,
    "checkout": row_store.checkout,
    "start": row_start.start,
    "images-list": row_many.images_list,
    "prune": row_many.prune,
    "containers-list": row_host.containers_list,
    "update": row_host.update,
    "growth": row_growth.growth,
}
