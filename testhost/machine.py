"""A booted Debian machine: its own systemd, processes, network (loopback only) and files.

The machine is a systemd-nspawn container without registration, so that it needs no systemd on this side.
It dies with the process that booted it, however that one ends.
"""

import contextlib
import os
import secrets
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testhost import terminal
from testhost.commands import CommandError
from testhost.control_group import control_group
from testhost.leftovers import hold_name, remove_host, remove_leftovers
from testhost.program import install_program
from testhost.roots import RUNTIMES, debian_root
from testhost.storage import copy_tree, opened_pool

BOOT_SECONDS = 30
POWER_OFF_SECONDS = 20
# A command outlives the nsenter that started it: one that ran out of time is killed inside, this much later.
GRACE_SECONDS = 1
POWER_OFF = signal.SIGRTMIN + 4

# Inside a host, what is put into Host.shared on this side.
SHARED = "/mnt/shared"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command in a host ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Host:
    """A booted machine; files through its own eyes, so that no symlink leads out of it."""

    suite: str
    leader: int
    tree: Path
    shared: Path

    @classmethod
    @contextlib.contextmanager
    def boot(cls, suite: str) -> Iterator["Host"]:
        """Give a machine of a Debian suite with os-containers installed; remove it afterwards."""
        with cls.installed(suite) as tree, cls.powered_on(suite, tree) as host:
            yield host

    @classmethod
    @contextlib.contextmanager
    def installed(cls, suite: str, more: Sequence[str] = ()) -> Iterator[Path]:
        """Give the tree of a machine, with more packages, not switched on yet; remove it afterwards."""
        with (
            opened_pool() as pool,
            hold_name(f"{suite}-{secrets.token_hex(4)}") as name,
            _installed(pool, suite, name, more) as tree,
        ):
            yield tree

    @classmethod
    @contextlib.contextmanager
    def powered_on(cls, suite: str, tree: Path) -> Iterator["Host"]:
        """Give the booted machine of a tree; switch it off afterwards."""
        with _powered_on(tree.name, tree) as leader:
            host = cls(suite, leader, tree, tree.with_suffix(".shared"))
            host.wait_until_booted()
            yield host

    @property
    def root(self) -> Path:
        """Its files as its own processes see them: /run, /tmp, /proc and all that is mounted."""
        return Path(f"/proc/{self.leader}/root")

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The OCI runtimes that work here."""
        return RUNTIMES[self.suite]

    def wait_until_booted(self) -> None:
        """Return when systemd has reached its default target; raise TimeoutError with what failed."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            state = self._enter(["systemctl", "is-system-running"], timeout=BOOT_SECONDS).stdout.strip()
            if state == "running":
                return
            if state == "degraded":
                break
            time.sleep(0.05)
        units = self._enter(["sh", "-c", "systemctl --failed; systemctl list-jobs"], timeout=BOOT_SECONDS)
        raise TimeoutError(f"{self.suite} is {state!r} and not 'running':\n{units.stdout}{units.stderr}")

    def run(
        self,
        command: str | Sequence[str | Path],
        *,
        user: str | None = None,
        check: bool = True,
        stdin: str = "",
        timeout: float = 120,
    ) -> Result:
        """Run a command, or a line of shell, as a logged-in root or user would; return how it ended.

        Raises CommandError when it fails, unless check is off, and subprocess.TimeoutExpired.
        """
        limited = ["timeout", "--signal=KILL", str(timeout + GRACE_SECONDS), *_words(command)]
        result = self._enter(self._session(limited, user), stdin=stdin, timeout=timeout)
        if check and result.returncode != 0:
            said = f"{result.stdout}{result.stderr}".strip()
            raise CommandError(f"{self.suite}# {_shown(command)}: exit code {result.returncode}\n{said}")
        return result

    def lines(self, command: str | Sequence[str | Path], *, timeout: float) -> Iterator[str]:
        """Run a command as root and give each line when it is written; its stderr is ours.

        Raises CommandError when it fails.
        """
        limited = ["timeout", "--signal=KILL", str(timeout), *_words(command)]
        entered = self._nsenter(self._session(limited, None))
        with subprocess.Popen(entered, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None  # noqa: S101 - it is a pipe
            yield from child.stdout
        if child.returncode != 0:
            raise CommandError(f"{self.suite}# {_shown(command)}: exit code {child.returncode}")

    def run_on_terminal(
        self,
        command: str | Sequence[str | Path],
        *,
        user: str | None = None,
        typed: bytes = b"",
        timeout: float = 120,
    ) -> tuple[int, str]:
        """Run a command on a terminal of its own; return its exit code and what the terminal showed."""
        return terminal.run_on_terminal(
            self._nsenter(self._session(_on_terminal(command), user)), typed=typed, timeout=timeout
        )

    def attach_shell(self) -> int:
        """Run a root shell on the terminal of the caller; return its exit code."""
        return subprocess.call(self._nsenter(self._session(_on_terminal("bash --login"), None)))

    def read(self, path: str | Path) -> str:
        """Return the content of a file."""
        return self._plain(["cat", "--", path]).stdout

    def write(self, path: str | Path, content: str, *, mode: int = 0o644) -> None:
        """Write a file, and the directories that lead to it."""
        script = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1" && chmod -- "$2" "$1"'
        self._plain(["sh", "-c", script, "sh", path, f"{mode:o}"], stdin=content)

    def exists(self, path: str | Path) -> bool:
        """Tell whether something has this name, a dangling symlink too."""
        script = 'test -e "$1" || test -L "$1"'
        return self._enter(["sh", "-c", script, "sh", str(path)], timeout=30).returncode == 0

    def add_user(self, name: str) -> int:
        """Add a user with subordinate ids whose service manager runs without a login; return the uid."""
        self.run(["useradd", "--create-home", "--shell", "/bin/bash", name])
        uid = int(self.run(["id", "--user", name]).stdout)
        self.run(["loginctl", "enable-linger", name])
        self.run(["systemctl", "start", f"user@{uid}.service"])
        return uid

    def _plain(self, argv: Sequence[str | Path], *, stdin: str = "") -> Result:
        words = [os.fspath(word) for word in argv]
        result = self._enter(words, stdin=stdin, timeout=60)
        if result.returncode != 0:
            raise CommandError(f"{self.suite}# {shlex.join(words)}: {result.stderr.strip()}")
        return result

    def _session(self, command: str | Sequence[str | Path], user: str | None) -> list[str]:
        words = _words(command)
        # a login gives a scope; entered namespaces alone leave a command in a foreign control group
        if user is None:
            return [*SCOPE, "--", "env", "HOME=/root", "USER=root", *words]
        uid = int(self._plain(["id", "-u", user]).stdout)
        environment = [
            f"XDG_RUNTIME_DIR=/run/user/{uid}",
            f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus",
        ]
        login = [
            "runuser",
            "--login",
            f"--whitelist-environment={','.join(e.split('=')[0] for e in environment)}",
        ]
        return [
            *SCOPE, f"--slice=user-{uid}.slice", "--", "env", *environment,
            *login, user, "--command", f"exec {shlex.join(words)}",
        ]  # fmt: skip

    def _enter(self, argv: Sequence[str], *, stdin: str = "", timeout: float) -> Result:
        done = subprocess.run(
            self._nsenter(argv),
            check=False,
            input=stdin.encode(),
            capture_output=True,
            timeout=timeout,
        )
        return Result(
            done.returncode,
            done.stdout.decode(errors="surrogateescape"),
            done.stderr.decode(errors="surrogateescape"),
        )

    def _nsenter(self, argv: Sequence[str]) -> list[str]:
        terminal_type = f"TERM={os.environ.get('TERM', 'xterm')}"
        return [
            "nsenter", f"--target={self.leader}", "--all", "--",
            "env", "--ignore-environment", SEARCH_PATH, "LANG=C.UTF-8", terminal_type, *argv,
        ]  # fmt: skip


SCOPE = ("systemd-run", "--quiet", "--collect", "--scope")
SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _on_terminal(command: str | Sequence[str | Path]) -> list[str]:
    # our own terminal has no name in the machine's /dev/pts
    return ["script", "--quiet", "--return", "--command", _shown(command), "/dev/null"]


def _words(command: str | Sequence[str | Path]) -> list[str]:
    return ["bash", "-c", command] if isinstance(command, str) else [os.fspath(word) for word in command]


def _shown(command: str | Sequence[str | Path]) -> str:
    return command if isinstance(command, str) else shlex.join(os.fspath(word) for word in command)


@contextlib.contextmanager
def _installed(pool: Path, suite: str, name: str, more: Sequence[str]) -> Iterator[Path]:
    remove_leftovers(pool)
    tree = pool / "hosts" / name
    try:
        copy_tree(debian_root(pool, suite, more), tree)
        install_program(pool, suite, tree)
        # without an id systemd asks at the console how to set up the new machine
        (tree / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
        tree.with_suffix(".shared").mkdir()
        yield tree
    finally:
        remove_host(tree)


@contextlib.contextmanager
def _powered_on(name: str, tree: Path) -> Iterator[int]:
    shared = tree.with_suffix(".shared")
    with control_group(f"os-containers-testhost-{name}") as enter_group:
        ours, theirs = os.openpty()
        nspawn = [
            # the host must not outlive us, even when we are killed
            "setpriv", "--pdeathsig=SIGKILL", "--",
            "systemd-nspawn", f"--directory={tree}", f"--machine={name}", f"--bind={shared}:{SHARED}",
            "--boot", "--register=no", "--keep-unit", "--private-network", "--capability=all",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            # closed by default: runtimes use both
            "--system-call-filter=@keyring bpf",
        ]  # fmt: skip
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_LOG_LEVEL": "warning"}
        process = subprocess.Popen(
            [*enter_group, *nspawn],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=environment,
        )
        os.close(theirs)
        console = threading.Thread(
            target=_log_console, args=(ours, tree.with_suffix(".console")), daemon=True
        )
        console.start()
        try:
            yield _wait_for_leader(process, tree.with_suffix(".console"))
        finally:
            _power_off(process)
            console.join()
            os.close(ours)


def _log_console(terminal_descriptor: int, log: Path) -> None:
    # an unread terminal fills up, and systemd then waits for it
    with log.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while piece := os.read(terminal_descriptor, 65536):
            file.write(piece)


def _wait_for_leader(process: subprocess.Popen[bytes], console: Path) -> int:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        leader = _find_leader(process.pid)
        if leader is not None:
            return leader
        time.sleep(0.02)
    raise CommandError(f"systemd-nspawn did not boot:\n{console.read_text(errors='replace')}")


def _find_leader(nspawn: int) -> int | None:
    """Return the process that is number 1 in the machine, None when it is not there yet."""
    with contextlib.suppress(FileNotFoundError):
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            name = Path(f"/proc/{child}/comm").read_text().strip()
            if name == "systemd":
                return int(child)
    return None


def _power_off(process: subprocess.Popen[bytes]) -> None:
    leader = _find_leader(process.pid)
    if leader is not None:
        os.kill(leader, POWER_OFF)
    try:
        process.wait(POWER_OFF_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
