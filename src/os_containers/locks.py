"""Locks between commands: files whose flock the kernel frees however their holder ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from os_containers.errors import BusyError


@contextlib.contextmanager
def locked(
    lock_file: Path,
    *,
    shared: bool = False,
    timeout: float,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold a lock that the kernel frees however we end.

    Raises BusyError after timeout seconds; on_wait is called once, with the holder, after two seconds.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as held:
        held.callback(os.close, descriptor)
        _wait_for_lock(descriptor, lock_file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout, on_wait)
        if not shared:
            _name_holder(descriptor)
            held.callback(_name_nobody, descriptor)
        yield


# Who holds a lock is said for people only: nothing fails for it, neither before its work nor after it.


def _name_holder(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, f"{os.getpid():<20}".encode(), 0)


def _name_nobody(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)


def _wait_for_lock(
    descriptor: int, lock_file: Path, kind: int, timeout: float, on_wait: Callable[[str], None] | None
) -> None:
    started = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - started
        else:
            return
        process = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        holder = f"process {process}" if process else "another command"
        if waited > timeout:
            raise BusyError(f"{holder} holds {lock_file}", hint="wait for it to end, or give --lock-timeout")
        if waited > 2 and not told and on_wait:  # noqa: PLR2004 - seconds before a person wonders
            on_wait(holder)
            told = True
        time.sleep(0.05)
