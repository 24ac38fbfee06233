"""os-containers installed as a person does: its wheel in an environment of its own beside Debian's Python.

CACHE/bench/environment-KEY/    with all that it needs
"""

import sys
import tempfile
from pathlib import Path

from bench.disk import Disk, bench_directory
from bench.measure import Command
from testhost.commands import run
from testhost.program import build_wheel, dependencies, wheels_for
from testhost.roots import cached_tree, key_of

PYTHON = "/usr/bin/python3"
_DRIVER = Path(__file__).with_name("driver.py")


class Program:
    """The installed program."""

    def __init__(self, environment: Path) -> None:
        self._python = environment / "bin/python"
        self._command = environment / "bin/os-containers"

    @classmethod
    def install(cls) -> "Program":
        """Return the program as it stands in the source tree now."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        name = f"environment-{key_of(version, *dependencies())}"
        environment = cached_tree(bench_directory(), name, lambda target: _make(target, version))
        # an environment knows its own path, but was made at another one
        with tempfile.TemporaryDirectory() as scratch:
            wheel = build_wheel(Path(scratch))
            run([
                environment / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install",
                "--no-index", "--no-deps", "--force-reinstall", wheel,
            ])  # fmt: skip
        return cls(environment)

    def call(self, *words: str | Path) -> Command:
        """Return the command line of a command."""
        return [self._command, *words]

    def driver(self, *words: str | Path) -> Command:
        """Return the command line of a part of the program, see driver.py."""
        return [self._python, "-I", _DRIVER, *words]

    def python(self, script: str) -> Command:
        """Return what runs a script with the libraries of the program."""
        return [self._python, "-c", script]

    @staticmethod
    def environment(disk: Disk) -> dict[str, str]:
        """Return the variables with which it keeps everything on a disk."""
        state = disk.directory / "os-containers"
        return {
            "OS_CONTAINERS_CHECKOUT_PATH": str(state),
            "OSTREE_REPO": str(state / ".storage/repo"),
            "HOME": "/root",
        }

    @staticmethod
    def repo(disk: Disk) -> Path:
        """Return the repo on a disk."""
        return disk.directory / "os-containers/.storage/repo"


def _make(target: Path, version: str) -> None:
    run([PYTHON, "-m", "venv", "--system-site-packages", target])
    wheels = wheels_for(version)
    run([
        target / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install",
        "--no-index", "--find-links", wheels, *dependencies(),
    ])  # fmt: skip


def check_store(disk: Disk) -> None:
    """Raise CommandError unless the repo on a disk is sound."""
    run(["ostree", "fsck", "--quiet", f"--repo={Program.repo(disk)}"])
