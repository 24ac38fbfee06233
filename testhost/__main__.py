"""Command line of the test hosts: python3 -m testhost COMMAND; --help lists them."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from testhost import powercut, selinux
from testhost.commands import CommandError
from testhost.debian_package import judge, program_package
from testhost.demo import play
from testhost.disk_image import FILE_SYSTEMS
from testhost.machine import Host
from testhost.program import build_wheel
from testhost.registry import Registry
from testhost.roots import RUNTIMES
from testhost.rpm_package import build_rpm
from testhost.source import SOURCE
from testhost.storage import cache_directory, opened_pool, remove_pool

DIST = SOURCE / "dist"


def main() -> int:
    """Run the command of argv and return the exit code."""
    parser = argparse.ArgumentParser(prog="testhost")
    commands = parser.add_subparsers(required=True)
    actions = {
        "demo": play,
        "shell": _shell,
        "deb": _deb,
        "rpm": _rpm,
        "wheel": _wheel,
        "clean-cache": _clean_cache,
    }
    for name, action in actions.items():
        command = commands.add_parser(name)
        command.set_defaults(run=lambda given: given.action(given.suite), action=action)
        command.add_argument("--suite", choices=tuple(RUNTIMES), default="trixie")
    _add_powercut(commands.add_parser("powercut"))
    commands.add_parser("selinux").set_defaults(run=lambda _: selinux.play())
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can boot a host")
    returncode: int = arguments.run(arguments)
    return returncode


def _add_powercut(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rounds", type=int, default=25)
    command.add_argument("--file-system", choices=FILE_SYSTEMS, default=FILE_SYSTEMS[0])
    command.add_argument("--seed", default="", help="of the moments of the cuts")
    command.set_defaults(run=lambda given: powercut.play(given.file_system, given.rounds, given.seed))


def _shell(suite: str) -> int:
    with Host.boot(suite) as host:
        Registry.start(host)
        print("A disposable host; a registry is on 127.0.0.1:5000. It ends with this shell.")
        return host.attach_shell()


def _deb(suite: str) -> int:
    with opened_pool() as pool:
        package = program_package(pool, suite)
        _put(package)
        try:
            print(judge(pool, suite, package), end="")
        except CommandError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _rpm(_: str) -> int:
    with opened_pool() as pool, tempfile.TemporaryDirectory() as scratch:
        return _put(build_rpm(pool, Path(scratch)))


def _wheel(_: str) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        return _put(build_wheel(Path(scratch)))


def _put(package: Path) -> int:
    DIST.mkdir(exist_ok=True)
    print(Path(shutil.copy(package, DIST)).relative_to(SOURCE))
    return 0


def _clean_cache(_: str) -> int:
    remove_pool()
    shutil.rmtree(cache_directory())
    return 0


if __name__ == "__main__":
    sys.exit(main())
