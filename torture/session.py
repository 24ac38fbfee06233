"""A host that is tortured: booted, given its images, and listened to."""

import contextlib
import json
import shutil
import stat
import tempfile
from collections.abc import Iterator
from os import makedev, mknod
from pathlib import Path

from testhost.commands import run
from testhost.machine import SHARED, Host
from testhost.registry import Registry
from testhost.source import SOURCE
from testhost.unpackaged import without_packaged_unit
from torture.images import push_filling, push_images
from torture.plan import FILLING_IMAGES, Plan
from torture.table import Facts, shown

STORE = "/var/lib/containers"
SMALL = "64M"
# longer than all parts together
TIMEOUT = 100_000.0


def torture_host(plan: Plan) -> list[Facts]:
    """Boot a host, torture it, and return the results; all that is told meanwhile is shown."""
    with Host.boot(plan.suite) as host:
        return torture(host, Registry.start(host), plan)


def torture(host: Host, registry: Registry, plan: Plan) -> list[Facts]:
    """Torture a booted host and return the results."""
    push_images(host, registry)
    if "d" in plan.parts:
        push_filling(host, registry, FILLING_IMAGES)
    with _program(host), without_packaged_unit(host):
        return [result for part in plan.parts for result in _run_part(host, plan, part)]


def _run_part(host: Host, plan: Plan, part: str) -> Iterator[Facts]:
    with _small_file_system(host) if part == "d" else contextlib.nullcontext():
        for facts in _told(host, plan, part):
            print(shown(facts), flush=True)
            if facts["kind"] in {"result", "stuck"}:
                yield facts


def _told(host: Host, plan: Plan, part: str) -> Iterator[Facts]:
    command = (
        f"cd {SHARED}/torture-program && exec python3 -B -m torture.inside --part={part} "
        f"--operations={','.join(plan.operations)} --sample={plan.sample} --rounds={plan.rounds} "
        f"--runs={plan.runs} --images={FILLING_IMAGES} --seed={plan.seed}"
    )
    for line in host.lines(command, timeout=TIMEOUT):
        yield json.loads(line)


@contextlib.contextmanager
def _program(host: Host) -> Iterator[None]:
    """Have our own modules in the host."""
    target = host.shared / "torture-program"
    shutil.copytree(SOURCE / "torture", target / "torture", ignore=shutil.ignore_patterns("__pycache__"))
    try:
        yield
    finally:
        shutil.rmtree(target)


@contextlib.contextmanager
def _small_file_system(host: Host) -> Iterator[None]:
    """Have a small ext4 where the store is, on a loop device that the host has no other way to."""
    with tempfile.NamedTemporaryFile(dir=host.shared, suffix=".img") as image:
        run(["truncate", f"--size={SMALL}", image.name])
        run(["mkfs.ext4", "-q", image.name])
        device = Path(run(["losetup", "--find", "--show", image.name]).strip())
        inside = host.root / "dev" / device.name
        try:
            number = device.stat().st_rdev
            mknod(inside, stat.S_IFBLK | 0o600, makedev(number >> 8, number & 0xFF))
            host.run(f"mkdir -p {STORE}")
            enter = ["nsenter", f"--target={host.leader}", "--mount", "--"]
            run([*enter, "mount", f"/dev/{device.name}", STORE])
            try:
                yield
            finally:
                run([*enter, "umount", STORE])
        finally:
            inside.unlink(missing_ok=True)
            run(["losetup", "--detach", device])
