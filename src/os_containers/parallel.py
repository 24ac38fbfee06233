"""Work on every processor: for what lets go of the interpreter's lock, as hashing and reading do."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from os_containers.errors import SystemFaultError
from os_containers.process import start_thread

_Item = TypeVar("_Item")


def filtered(is_wanted: Callable[[_Item], bool], items: Sequence[_Item]) -> list[_Item]:
    """Return the items for which is_wanted says so, in their order; raises what it raises first."""
    pending = iter(enumerate(items))
    wanted: list[int] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for index, item in pending:
                if is_wanted(item):
                    wanted.append(index)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            # nothing is left for the others when one fails
            for _ in pending:
                pass

    helpers = _started(work)
    work()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]
    return [items[index] for index in sorted(wanted)]


def _started(work: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(len(os.sched_getaffinity(0)) - 1)]
    started = []
    for thread in threads:
        try:
            start_thread(thread)
        except SystemFaultError:
            break  # one at work is enough
        started.append(thread)
    return started
