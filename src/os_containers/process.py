"""The one door to programs: argument lists only, no shell, errors as ProcessError."""

import contextlib
import errno
import logging
import os
import shlex
import shutil
import signal
import subprocess  # noqa: TID251 - this is the door
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

from os_containers.errors import ProcessError, ProgramTimeoutError, SystemFaultError
from os_containers.faults import is_exhaustion, system_fault

logger = logging.getLogger(__name__)

# How long a program that we were told to end may take, as other container tools have it (seconds).
STOP_TIMEOUT = 10.0

# What asks us to end.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What the kernel says of a process that has come to its end and has a number still.
_ENDED = frozenset("ZXx")

# The Debian package that holds a program, for the hint when it is missing.
PACKAGES = {
    "crun": "crun",
    "dpkg-deb": "dpkg",
    "journalctl": "systemd",
    "rpmbuild": "rpm-build (Debian: rpm)",
    "runc": "runc",
    "setpriv": "util-linux",
    "skopeo": "skopeo",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "systemd-run": "systemd",
    "systemd-tmpfiles": "systemd",
    "tar": "tar",
    "unshare": "util-linux",
}


def find_program(name: str) -> Path | None:
    """Return where PATH has a program, None where it has not."""
    found = shutil.which(name)
    return Path(found) if found else None


def own_command() -> Path:
    """Return the path of the program that is running, for others to call."""
    return find_program("os-containers") or Path(sys.argv[0]).resolve()


def missing_program(name: str) -> SystemFaultError:
    """Return the error that names the package to install."""
    return SystemFaultError(
        f"{name} is not installed", hint=f"install the package {PACKAGES.get(Path(name).name, name)}"
    )


def cannot_run(name: str, error: OSError) -> SystemFaultError:
    """Return the error for a program that could not be started."""
    if isinstance(error, FileNotFoundError):
        return missing_program(name)
    if is_exhaustion(error):
        return system_fault(error, Path(name))
    return SystemFaultError(f"{name} cannot be executed: {error.strerror}", hint=f"reinstall {name}")


def start_thread(thread: threading.Thread) -> None:
    """Start a thread. Raises SystemFaultError when there are too many."""
    try:
        thread.start()
    except RuntimeError as error:
        # Python keeps the reason to itself: pthread_create(3) answers EAGAIN
        raise system_fault(OSError(errno.EAGAIN, "a thread cannot be started")) from error


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    timeout: float | None = None,
    passed_fds: Sequence[int] = (),
    process_group: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its output.

    Raises ProcessError when it fails (unless check is off) and SystemFaultError when it is missing or
    takes longer than timeout seconds.
    """
    words = [os.fspath(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    try:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            pass_fds=passed_fds,
            process_group=process_group,
        )
    except OSError as error:
        raise cannot_run(words[0], error) from error
    except subprocess.TimeoutExpired as error:
        raise ProgramTimeoutError(f"{shlex.join(words)} did not end within {timeout:g} seconds") from error
    if check and done.returncode != 0:
        raise ProcessError(words, done.returncode, done.stderr)
    return done


def run_undisturbed(argv: Sequence[str | Path], *, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a program that leaves files when a signal ends it: neither it nor we hear one before its end.

    Its failure is the caller's affair. Raises SystemFaultError as run does.
    """
    with _signals_held():
        return run(argv, check=False, timeout=timeout, process_group=0)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let the signals that would end us come when the block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no handler ever runs here
        return
    held: list[int] = []
    # not blocked: programs would inherit that
    before = {one: signal.signal(one, lambda number, _: held.append(number)) for one in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def birth(pid: int) -> str | None:
    """Return what tells a process from a later one of the same number, None when it has come to its end."""
    try:
        # proc_pid_stat(5): the second field, the name, may hold anything
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = status[0], status[19]
    return None if state in _ENDED else started


def is_in_control_group(name: str) -> bool:
    """Tell whether any process is in a control group of that name, or beneath one."""
    for one in Path("/proc").glob("[0-9]*/cgroup"):
        # it has just come to its end, or is not ours to look at
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if any(name in line.split("/") for line in one.read_text(errors="replace").splitlines()):
                return True
    return False


def run_attached(argv: Sequence[str | Path], *, passed_fds: Sequence[int] = ()) -> int:
    """Run a program on our own terminal and return its exit code, 128+n for signal n.

    Ctrl-C is for the program, as it is with a shell.
    """
    words = [os.fspath(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    try:
        child = subprocess.Popen(words, pass_fds=passed_fds)
    except OSError as error:
        raise cannot_run(words[0], error) from error
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        returncode = child.wait()
    except BaseException:
        child.terminate()
        end(child, timeout=STOP_TIMEOUT)
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return returncode if returncode >= 0 else 128 - returncode


def write_attached(output: bytes) -> None:
    """Write to our own terminal, for a program that was run there."""
    # who reads it may have gone
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), output)


def become(argv: Sequence[str | Path]) -> NoReturn:
    """Be another program from now on: the terminal, signals and the exit code are its own."""
    words = [os.fspath(word) for word in argv]
    logger.debug("+ exec %s", shlex.join(words))
    # Python ignores them, and programs would inherit that
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)  # noqa: S606 - as everywhere here
    except OSError as error:
        raise cannot_run(words[0], error) from error


def spawn(
    argv: Sequence[str | Path], *, passed_fds: Sequence[int], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program that we talk to over inherited descriptors; what it says goes to a file.

    It is killed when we are, since it may wait for others and not notice.
    """
    words = [os.fspath(word) for word in argv]
    logger.debug("+ %s &", shlex.join(words))
    program = find_program(words[0])
    if not program:
        raise missing_program(words[0])
    # killed before setpriv has asked for it, we have asked for nothing: then its socket ends it
    bound_to_us = ["setpriv", "--pdeathsig=KILL", os.fspath(program), *words[1:]]
    try:
        return subprocess.Popen(
            bound_to_us,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=passed_fds,
        )
    except OSError as error:
        raise cannot_run("setpriv", error) from error


def end(child: subprocess.Popen[bytes], *, timeout: float) -> None:
    """Wait for a program that is about to end; kill it when it takes longer than timeout seconds."""
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
