"""Ctrl-C at any moment of any command: nothing is half done, and nobody sees a traceback."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from testhost.hello import HelloImage
from testhost.machine import Host

Push = Callable[[HelloImage, str], str]
# How often each command is interrupted; with more and another seed it is a search.
MOMENTS = int(os.environ.get("INTERRUPTS", "2"))
SEED = os.environ.get("SEED", "1")

# Runs in the host. A terminal sends its signal to the whole group of processes.
INTERRUPT = r"""
import json, os, random, signal, subprocess, sys, time
from pathlib import Path

STATE = Path("/var/lib/containers/atomic")
moments, seed, steps = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
# what we start hears it, whoever started us
signal.signal(signal.SIGINT, signal.SIG_DFL)


def hears(process):
    # python alone does not catch this one: from here on it is ours to end well
    if process.poll() is not None:
        return True
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:\t")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGTERM - 1)


def interrupted(words, delay):
    pipe = subprocess.PIPE
    streams = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, "text": True}
    with subprocess.Popen(words, process_group=0, **streams) as one:
        while not hears(one):
            time.sleep(0.002)
        time.sleep(delay)
        code = one.poll()
        if code is None:
            os.killpg(one.pid, signal.SIGINT)
        out, err = one.communicate(timeout=60)
    return {"code": one.returncode, "was_over": code is not None, "out": out, "err": err}


def call(words):
    is_line = isinstance(words, str)
    return subprocess.run(words, shell=is_line, stdin=subprocess.DEVNULL, capture_output=True, text=True)


found = []
for name, before, command, longest in steps:
    chosen = random.Random(f"{seed} {name}")
    for moment in range(moments):
        if before:
            prepared = call(before)
            assert prepared.returncode == 0, prepared
        # one moment of each part of its time
        delay = longest * (moment + chosen.random()) / moments
        words = [word.replace("PARITY", str(moment % 2)) for word in command.split()]
        done = interrupted(words, delay)
        checked = call(["os-containers", "check", "--json"])
        left = [str(path) for part in (".staging", ".journal", ".trash") for path in (STATE / part).glob("*")]
        state = {"checked": checked.stdout, "left": left}
        found.append({"command": " ".join(words), "delay": delay, **state, **done})
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A command that is interrupted within so many seconds of its start, and what must be there before."""

    command: str
    longest: float
    before: str = ""


def steps(image: str, other: str) -> list[Step]:
    """Return the life of a container, each command of it more than once."""
    installed = f"os-containers install --insecure --name hello {image}:0"
    gone = "os-containers uninstall hello >/dev/null 2>&1 || [ $? -eq 3 ]"
    forgotten = f"os-containers images delete --force {other}; os-containers images prune"
    return [
        Step(f"os-containers pull --insecure {other}", 0.5, f"({forgotten}) || :"),
        Step(
            "os-containers images prune",
            0.3,
            f"os-containers pull --insecure {other}; os-containers images delete {other}",
        ),
        Step(f"os-containers install --insecure --name hello {image}:0", 1.2, gone),
        Step("os-containers uninstall hello", 1.0, f"{gone}; {installed} && os-containers start hello"),
        Step(
            f"os-containers update --insecure --rebase {image}:PARITY hello",
            1.5,
            f"[ -L /var/lib/containers/atomic/hello ] || {installed}; os-containers start hello",
        ),
        Step("os-containers images verify --insecure", 0.4),
        Step("os-containers logs --follow hello", 0.5),
        Step(f"os-containers run {image}:0 sleep 1", 0.8),
        Step(f"os-containers package --format deb --output /run {image}:0", 0.6),
    ]


def test_ctrl_c_at_any_moment_leaves_nothing_half_done(host: Host, push_hello: Push) -> None:
    """The exit code is 130, or that of a command that was over before it heard the signal."""
    image = push_hello(HelloImage("0"), "hello:0").rpartition(":")[0]
    push_hello(HelloImage("1"), "hello:1")
    other = push_hello(HelloImage("2", files={"/big": os.urandom(2 << 20).hex()}), "other:latest")
    told = [(one.command, one.before, one.command, one.longest) for one in steps(image, other)]
    for version in (0, 1):
        host.run(f"os-containers pull --insecure {image}:{version}")
    said = host.run(["python3", "-", str(MOMENTS), SEED, json.dumps(told)], stdin=INTERRUPT, timeout=1000)
    host.run("rm -f /run/*.deb")
    wrong = [one for one in json.loads(said.stdout) if not is_clean(one)]
    assert wrong == []


def is_clean(one: dict[str, object]) -> bool:
    """Tell whether an interrupted command left the host as it should."""
    said = str(one["err"])
    # -2 is what a shell calls 130; the exit code of `run` is the runtime's, which may be starting still
    is_told = one["code"] in {130, -2, 0} or (one["code"] == 1 and "signal: interrupt" in said)
    # the first process of a container may not die of the signal: that of runc exits with 2 then
    is_told |= one["code"] == 2 and said == "" and str(one["command"]).startswith("os-containers run")
    return is_told and "Traceback" not in said and one["checked"] == "[]\n" and one["left"] == []
