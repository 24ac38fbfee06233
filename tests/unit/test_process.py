"""The door to programs."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from os_containers import process
from os_containers.errors import ProcessError, SystemFaultError
from os_containers.locks import locked


def test_run_returns_what_a_program_says() -> None:
    """Bytes that are no text are replaced, not fatal."""
    done = process.run(["printf", r"a\377b"])
    assert done.stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_a_failing_program_is_told_with_its_last_words() -> None:
    """The code and everything it said are kept."""
    with pytest.raises(ProcessError, match=r"^sh -c .*: exit code 3: second$") as raised:
        process.run(["sh", "-c", "echo first >&2; echo second >&2; exit 3"])
    assert (raised.value.returncode, raised.value.stderr) == (3, "first\nsecond\n")
    assert process.run(["false"], check=False).returncode == 1


def test_a_missing_program_names_its_package() -> None:
    """The next step is in the hint."""
    with pytest.raises(SystemFaultError, match="no-such-program is not installed"):
        process.run(["no-such-program"])
    assert process.missing_program("/usr/bin/systemctl").hint == "install the package systemd"


def test_a_hanging_program_is_ended() -> None:
    """After the time that it was given."""
    with pytest.raises(SystemFaultError, match=r"did not end within 0\.1 seconds"):
        process.run(["sleep", "60"], timeout=0.1)


@pytest.mark.parametrize(("script", "code"), [("exit 42", 42), ("kill -KILL $$", 137)])
def test_the_exit_code_of_an_attached_program_is_a_shells(script: str, code: int) -> None:
    """A signal counts from 128."""
    assert process.run_attached(["sh", "-c", script]) == code


def test_ctrl_c_is_for_the_attached_program(tmp_path: Path) -> None:
    """It may go on, or end with a code of its own, which is ours then."""
    ready = tmp_path / "ready"
    script = f"trap 'exit 7' INT; touch {ready}; while :; do sleep 0.05; done"
    code = "import sys; from os_containers.process import run_attached; sys.exit(run_attached(sys.argv[1:]))"
    # whoever runs the tests may have Ctrl-C ignored, which would be inherited
    words = ["env", "--default-signal=INT", sys.executable, "-c", code, "sh", "-c", script]
    with subprocess.Popen(words, process_group=0) as ours:
        try:
            while not ready.exists():
                time.sleep(0.01)
            time.sleep(0.2)
            os.killpg(ours.pid, signal.SIGINT)
            assert ours.wait(10) == 7
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ours.pid, signal.SIGKILL)


def test_a_program_that_would_leave_files_comes_to_its_end(tmp_path: Path) -> None:
    """Neither Ctrl-C reaches it, nor is it killed when we have to end: we wait, and end then."""
    ready, left = tmp_path / "ready", tmp_path / "left"
    script = f"touch {left} {ready}; sleep 0.4; rm {left}"
    code = (
        "import sys; from os_containers.process import run_undisturbed as run; run(sys.argv[1:], timeout=9)"
    )
    words = ["env", "--default-signal=INT", sys.executable, "-c", code, "sh", "-c", script]
    with subprocess.Popen(words, process_group=0, stderr=subprocess.DEVNULL) as ours:
        while not ready.exists():
            time.sleep(0.01)
        os.killpg(ours.pid, signal.SIGINT)
        assert ours.wait(10) == -signal.SIGINT
    assert not left.exists()


def test_an_undisturbed_program_has_its_time_and_its_output() -> None:
    """Whatever its exit code is."""
    done = process.run_undisturbed(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=9)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    with pytest.raises(SystemFaultError, match=r"did not end within 0\.1 seconds"):
        process.run_undisturbed(["sleep", "60"], timeout=0.1)
    with pytest.raises(SystemFaultError, match="not-there is not installed"):
        process.run_undisturbed(["not-there"], timeout=9)


def test_what_we_become_hears_the_signals_that_python_ignores() -> None:
    """That nobody reads any more, for one: a program would go on writing."""
    code = "from os_containers.process import become; become(['grep', '^SigIgn:', '/proc/self/status'])"
    words = ["env", "--default-signal", sys.executable, "-c", code]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    ignored = int(shown.split()[1], 16)
    assert not ignored & 1 << signal.SIGPIPE - 1
    assert not ignored & 1 << signal.SIGXFSZ - 1


def test_what_is_not_there_cannot_be_become() -> None:
    """It is an error like that of any other program that is missing."""
    code = "from os_containers.process import become; become(['no-such-program'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "no-such-program is not installed" in done.stderr


def test_b84_a_program_that_we_talk_to_ends_with_us() -> None:
    """However we end, and whatever it waits for."""
    code = """
import os, sys, time
from os_containers import process
child = process.spawn(["sleep", "60"], passed_fds=[], stderr=open(os.devnull, "wb"))
while open(f"/proc/{child.pid}/comm").read() != "sleep\\n":
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as ours:
        assert ours.stdout
        child = Path(f"/proc/{int(ours.stdout.readline())}")
        assert child.exists()
        ours.kill()
    deadline = time.monotonic() + 10
    while child.exists() and "Z" not in (child / "stat").read_text().split():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EAGAIN, "ulimit -u"),
        (errno.ENOMEM, "free some memory"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOEXEC, "reinstall skopeo"),
    ],
)
def test_b82_a_program_that_cannot_start_names_the_limit(number: int, hint: str) -> None:
    """Not the program, which is none the worse for it."""
    fault = process.cannot_run("skopeo", OSError(number, os.strerror(number)))
    assert fault.exit_code == 8
    assert os.strerror(number) in fault.message
    assert hint in str(fault.hint)


@pytest.mark.parametrize("attached", [False, True])
def test_cve_2024_21626_a_program_inherits_no_descriptor_of_ours(
    tmp_path: Path,
    attached: bool,  # noqa: FBT001
) -> None:
    """A runtime that does not close one would hand the container a way to the host's root."""
    code = (
        "import os, sys; shown = os.listdir('/proc/self/fd'); open(sys.argv[1], 'w').write(' '.join(shown))"
    )
    show = [sys.executable, "-c", code, tmp_path / "shown"]
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    inheritable = os.dup(root)
    os.set_inheritable(inheritable, True)  # noqa: FBT003 - what a careless library would do
    try:
        with locked(tmp_path / "lock", timeout=1), (tmp_path / "lock").open():
            process.run_attached(show) if attached else process.run(show)
    finally:
        os.close(root)
        os.close(inheritable)
    # the fourth is the directory itself, while it is read
    assert sorted((tmp_path / "shown").read_text().split()) == ["0", "1", "2", "3"]


def test_the_birth_of_a_process_tells_it_from_others(tmp_path: Path) -> None:
    """One that has ended has none, also while nobody has asked how; its name may look like the rest."""
    program = Path(shutil.copy("/bin/sleep", tmp_path / ") Z 1 2 3"))
    with subprocess.Popen([program, "60"]) as child:
        assert process.birth(child.pid) == process.birth(child.pid) != process.birth(os.getpid())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.birth(child.pid) is None
    assert process.birth(child.pid) is None


def test_a_control_group_without_processes_has_none() -> None:
    """A name is a whole name."""
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    names = {name for line in groups for name in line.split(":", 2)[2].split("/") if name}
    assert all(process.is_in_control_group(name) for name in names)
    assert not process.is_in_control_group("no-such.scope")
