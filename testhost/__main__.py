"""Command line of the test hosts: python3 -m testhost demo|shell|clean-cache."""

import argparse
import os
import shutil
import sys

from testhost.demo import play
from testhost.machine import Host
from testhost.registry import Registry
from testhost.roots import RUNTIMES
from testhost.storage import cache_directory, remove_pool


def main() -> int:
    """Run the command of argv and return the exit code."""
    parser = argparse.ArgumentParser(prog="testhost")
    commands = parser.add_subparsers(required=True)
    for name, action in (("demo", play), ("shell", _shell), ("clean-cache", _clean_cache)):
        command = commands.add_parser(name)
        command.set_defaults(action=action)
        command.add_argument("--suite", choices=tuple(RUNTIMES), default="trixie")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can boot a host")
    returncode: int = arguments.action(arguments.suite)
    return returncode


def _shell(suite: str) -> int:
    with Host.boot(suite) as host:
        Registry.start(host)
        print("A disposable host; a registry is on 127.0.0.1:5000. It ends with this shell.")
        return host.attach_shell()


def _clean_cache(_: str) -> int:
    remove_pool()
    shutil.rmtree(cache_directory())
    return 0


if __name__ == "__main__":
    sys.exit(main())
