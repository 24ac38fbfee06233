"""Rows about pulling the big image."""

import shlex
from collections.abc import Callable

from bench import limit, podman
from bench.big_image import Image, big_image
from bench.disk import fresh_disk
from bench.measure import Usage, by_turns, measure, middle
from bench.program import PYTHON, Program, check_store
from bench.registry import served
from bench.result import OURS, Figure, Result, compared
from bench.setting import Setting

LIMIT = "limit"
VERIFIED = "limit + digests"
SKOPEO = "skopeo copy"
PODMAN = "podman"
LINES = "lines"
JSON = "JSON"
PULL_TO_LIMIT = 1.3
PULL_TO_PODMAN = 1 / 3
AGAIN_TO_STARTS = 2.0
PROGRESS_TO_LINES = 1.01
MEMORY = 200.0


def pull_big(setting: Setting) -> Result:
    """Pull into an empty store from a directory on this machine."""
    image = big_image()
    runs = by_turns(setting.rounds, _contestants(setting.program, image, image.reference))
    return _pulled("pull-big", f"pull {image.shown} from an oci: layout into an empty store", runs)


def pull_big_registry(setting: Setting) -> Result:
    """Pull into an empty store from a registry on this machine."""
    image = big_image()
    with served(image.reference) as reference:
        contestants = _contestants(setting.program, image, reference, "--tls-verify=false")
        contestants[SKOPEO] = lambda: _fetch(reference)
        runs = by_turns(setting.rounds, contestants)
    return _pulled("pull-big-registry", "the same from a registry on loopback", runs)


def pull_again(setting: Setting) -> Result:
    """Pull when all layers are there; nothing changes on the disk, so that all runs share one."""
    image = big_image()
    starts = ["sh", "-c", f"skopeo --version && {PYTHON} -c pass"]
    program = setting.program
    with fresh_disk() as disk:
        ours = program.call("pull", image.reference)
        peer = podman.call(disk, "pull", image.reference)
        variables = {PODMAN: podman.environment(disk), OURS: program.environment(disk)}
        measure(ours, environment=variables[OURS])
        measure(peer, environment=variables[PODMAN])
        contestants: dict[str, Callable[[], Usage]] = {
            OURS: lambda: measure(ours, environment=variables[OURS]),
            "starts": lambda: measure(starts),
            PODMAN: lambda: measure(peer, environment=variables[PODMAN]),
        }
        runs = by_turns(setting.rounds, contestants)
    figures = [
        compared("time to start of skopeo + start of Python", runs, "starts", AGAIN_TO_STARTS),
        compared("time to podman", runs, PODMAN, None),
    ]
    return Result("pull-again", "pull of an image whose layers are all there", figures, runs)


def progress(setting: Setting) -> Result:
    """Pull with bars on a terminal, with JSON, and with a line per layer."""
    image = big_image()

    def ours(form: str, shown: str) -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            words = setting.program.call("--progress", form, "pull", image.reference)
            command = f"{shlex.join(map(str, words))} {shown}"
            terminal = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
            variables = {**setting.program.environment(disk), "TERM": "xterm"}
            return measure(terminal, environment=variables)

    contestants: dict[str, Callable[[], Usage]] = {
        OURS: lambda: ours("auto", ""),
        JSON: lambda: ours("json", "2>/dev/null"),
        LINES: lambda: ours("plain", "2>/dev/null"),
    }
    runs = by_turns(setting.rounds, contestants)
    taken = {name: middle(usages, lambda usage: usage.processor) for name, usages in runs.items()}
    figures = [
        compared("time with bars", runs, LINES, PROGRESS_TO_LINES),
        Figure("processor time with bars", "s", taken[OURS], LINES, taken[LINES], PROGRESS_TO_LINES),
        compared("time with JSON", runs, LINES, PROGRESS_TO_LINES, ours=JSON),
        Figure("processor time with JSON", "s", taken[JSON], LINES, taken[LINES], PROGRESS_TO_LINES),
    ]
    return Result("progress", "bars or JSON during a pull", figures, runs)


def _contestants(
    program: Program, image: Image, reference: str, *options: str
) -> dict[str, Callable[[], Usage]]:
    def ours() -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            command = program.call("pull", *options, reference)
            usage = measure(command, environment=program.environment(disk))
            check_store(disk)
            return usage

    def bare() -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            return measure(limit.unpack(image, disk))

    def verified() -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            return measure(limit.unpack_verified(image, disk))

    def peer() -> Usage:
        with fresh_disk() as disk:
            limit.read_ahead(image)
            command = podman.call(disk, "pull", *options, reference)
            return measure(command, environment=podman.environment(disk))

    return {OURS: ours, LIMIT: bare, VERIFIED: verified, PODMAN: peer}


def _fetch(reference: str) -> Usage:
    """Let skopeo fetch the blobs, and do nothing else with them."""
    with fresh_disk() as disk:
        options = ["--src-tls-verify=false", "--quiet"]
        return measure(["skopeo", "copy", *options, reference, f"dir:{disk.directory}/image"])


def _pulled(row: str, title: str, runs: dict[str, list[Usage]]) -> Result:
    memory = middle(runs[OURS], lambda usage: usage.memory) / 2**20
    peer = middle(runs[PODMAN], lambda usage: usage.memory) / 2**20
    processor = {name: middle(runs[name], lambda usage: usage.processor) for name in (OURS, LIMIT)}
    figures = [
        compared("time to limit", runs, LIMIT, PULL_TO_LIMIT),
        compared("time to podman", runs, PODMAN, PULL_TO_PODMAN),
        compared("time to limit + digests", runs, VERIFIED, None),
        compared("limit + digests to limit", runs, LIMIT, None, ours=VERIFIED),
        Figure("processor time to limit", "s", processor[OURS], LIMIT, processor[LIMIT]),
        Figure("memory", "MiB", memory, goal=MEMORY),
        Figure("memory to podman", "MiB", memory, PODMAN, peer),
    ]
    return Result(row, title, figures, runs)
