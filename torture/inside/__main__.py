"""The parts of the torture, in the host: python3 -m torture.inside --part a --operation update."""

import argparse

from torture.inside import (
    delays,
    doubles,
    errors,
    full_disk,
    kills,
    lint,
    of_image,
    of_package,
    of_root,
    together,
)
from torture.inside.operation import Operation, pull_versions, start_afresh
from torture.inside.report import tell
from torture.inside.trace import LOG

# A service runs before them, and after them.
TRANSITIONS = (
    "update", "rollback",
    "update-package", "rollback-package", "rollback-factory", "uninstall-package",
    "update-rootfs",
)  # fmt: skip
# What the table shows of an operation that could not even be tried.
NOTHING = {
    "fault": "cannot go on",
    "points": 0,
    "before": 0,
    "after": 0,
    "worst": 0,
    "seconds": 0,
    "kinds": {},
}


def main() -> None:
    """Run one part with the operations given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", required=True, choices=tuple("abcdefg"))
    parser.add_argument("--operations", required=True, type=lambda text: text.split(","))
    parser.add_argument("--sample", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    _run(parser.parse_args())


def _run(arguments: argparse.Namespace) -> None:
    match arguments.part:
        case "d":
            full_disk.torture(arguments.images)
        case "f":
            pull_versions("torture")
            together.torture(arguments.runs, arguments.seed)
        case "e":
            _with_container(
                "service", [name for name in arguments.operations if name in TRANSITIONS], arguments
            )
        case _:
            _with_container("torture", arguments.operations, arguments)


def _with_container(container: str, names: list[str], arguments: argparse.Namespace) -> None:
    """Torture each operation; one that cannot go on ends, and the next begins."""
    pull_versions(container)
    known = {
        name: operation
        for kind in (of_image, of_package, of_root)
        for name, operation in kind.operations(container).items()
    }
    for name in names:
        start_afresh(container)
        try:
            _torture(known[name], len(names), arguments)
        except RuntimeError as error:
            tell("stuck", part=arguments.part, operation=name, error=str(error), third=1, **NOTHING)
    start_afresh(container)
    LOG.unlink(missing_ok=True)


def _torture(operation: Operation, count: int, arguments: argparse.Namespace) -> None:
    sample, seed = arguments.sample, arguments.seed
    match arguments.part:
        case "a":
            kills.torture(operation, sample=sample, seed=seed)
        case "b":
            errors.torture(operation, sample=sample, seed=seed)
        case "c":
            doubles.torture(operation, sample=sample, seed=seed)
        case "e":
            delays.torture(operation, rounds=-(-arguments.rounds // count), seed=seed)
        case "g":
            lint.torture(operation)


if __name__ == "__main__":
    main()
