"""Rows that need a booted host: the list of many containers, and the update of a running service."""

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.measure import Usage, by_turns, middle
from bench.result import OURS, Figure, Result, compared
from bench.setting import Setting
from testhost.hello import HelloImage, start_hello
from testhost.machine import SHARED, Host

SUITE = "trixie"
# How many there are, step by step; the last is what the goals are about.
CONTAINERS = (25, 50, 100)
RUNNING = 20
LINEAR = 1.1
LIST_TO_QUESTION = 2.0
LONGER_THAN_RESTART = 150.0
QUESTION = "python + systemctl"
RESTART = "systemctl restart"
_INSIDE = Path(__file__).with_name("inside.py")
_LIST = ("os-containers", "containers", "list", "--all")
_PROGRAM = "/usr/bin/python3 -sP"
_INSTALL_SECONDS = 900


def containers_list(setting: Setting) -> Result:
    """List a hundred containers, and ask systemd the same question without us."""
    with Host.boot(SUITE) as host:
        grown = _measure_growing(host, setting.rounds)
        questions = _systemctl_calls(host)
        asked = f"/usr/bin/python3 -c pass && exec {questions[0]}"
        contestants: dict[str, Callable[[], Usage]] = {
            OURS: lambda: _measure(host, *_LIST),
            QUESTION: lambda: _measure(host, "sh", "-c", asked),
        }
        runs = by_turns(setting.rounds, contestants)
        imported = host.run(f"{_PROGRAM} -X importtime /usr/bin/{' '.join(_LIST)} 2>&1").stdout
    small, large = (middle(grown[str(number)]) for number in (CONTAINERS[0], CONTAINERS[-1]))
    factor = CONTAINERS[-1] // CONTAINERS[0]
    gi = sum(line.rpartition("|")[2].strip() == "gi" for line in imported.splitlines())
    figures = [
        compared("time to start of Python + the question", runs, QUESTION, LIST_TO_QUESTION),
        Figure(
            f"time of {CONTAINERS[-1]}", "s", large, f"{factor} x {CONTAINERS[0]}", factor * small, LINEAR
        ),
        Figure("calls of systemctl", "", len(questions), goal=1),
        Figure("imports of gi", "", gi, goal=0),
    ]
    title = f"list of {CONTAINERS[-1]} containers, {RUNNING} of them running"
    times = {str(number / CONTAINERS[0]): middle(grown[str(number)]) for number in CONTAINERS}
    return Result("containers-list", title, figures, runs | grown, {"time": times})


def update(setting: Setting) -> Result:
    """Update a running service, and restart it: how long it is away, by systemd's own clock."""
    with Host.boot(SUITE) as host:
        for version in ("1", "2"):
            _push(host, version)
        host.run("os-containers images tag hello:1 hello && os-containers install hello")
        start_hello(host)
        versions = iter(["2", "1"] * setting.rounds)
        contestants: dict[str, Callable[[], Usage]] = {
            OURS: lambda: _away_for_an_update(host, next(versions)),
            RESTART: lambda: _away(host, "systemctl restart hello"),
        }
        runs = by_turns(setting.rounds, contestants)
    longer = (middle(runs[OURS]) - middle(runs[RESTART])) * 1000
    figures = [
        Figure("longer than a restart", "ms", longer, goal=LONGER_THAN_RESTART),
        compared("time to systemctl restart", runs, RESTART, None),
    ]
    return Result("update", "update of a running service, from stop to active again", figures, runs)


def _measure_growing(host: Host, rounds: int) -> dict[str, list[Usage]]:
    """Install containers in steps and list them after each."""
    print(f"  installing {CONTAINERS[-1]} containers", flush=True)
    _push(host, "1")
    taken: dict[str, list[Usage]] = {}
    for before, number in itertools.pairwise((0, *CONTAINERS)):
        _install(host, range(before, number))
        taken |= by_turns(rounds, {str(number): lambda: _measure(host, *_LIST)})
    return taken


def _install(host: Host, numbers: range) -> None:
    names = [f"hello{number}" for number in numbers]
    install = f"for name in {' '.join(names)}; do os-containers install --name=$name hello:1 || exit; done"
    host.run(install, timeout=_INSTALL_SECONDS)
    running = [name for name, number in zip(names, numbers, strict=True) if number < RUNNING]
    if running:
        host.run(f"systemctl start {' '.join(running)}", timeout=_INSTALL_SECONDS)


def _push(host: Host, version: str) -> None:
    with HelloImage(version).layout(host) as layout, tempfile.TemporaryDirectory(dir=host.shared) as scratch:
        shutil.copytree(layout, Path(scratch) / "image")
        source = f"oci:{SHARED}/{Path(scratch).name}/image:{version}"
        host.run(f"os-containers pull {source} --name-image=hello:{version}")


def _systemctl_calls(host: Host) -> list[str]:
    said = host.run(f"os-containers --verbose {' '.join(_LIST[1:])}").stderr
    return [line.lstrip("+ ") for line in said.splitlines() if line.lstrip("+ ").startswith("systemctl ")]


def _measure(host: Host, *command: str) -> Usage:
    facts = json.loads(host.run(["python3", "-", *command], stdin=_INSIDE.read_text()).stdout)
    return Usage(**facts)


def _away_for_an_update(host: Host, version: str) -> Usage:
    """Update to another image under the same name."""
    host.run(f"os-containers images tag hello:{version} hello")
    return _away(host, "os-containers update hello")


def _away(host: Host, command: str) -> Usage:
    """Run what stops and starts the service; return how long that was not active."""
    host.run(command)
    shown = host.run("systemctl show --timestamp=us+utc hello").stdout
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    start_hello(host)  # it hears signals from then on: the next stop must not wait
    return Usage(_monotonic(facts, "ActiveEnter") - _monotonic(facts, "ActiveExit"))


def _monotonic(facts: Mapping[str, str], event: str) -> float:
    return int(facts[f"{event}TimestampMonotonic"]) / 1e6
