"""make torture: python3 -m torture --parts a,b --operations update --suite trixie."""

import argparse
import os
import sys

from testhost.roots import RUNTIMES
from torture.plan import OPERATIONS, PARTS, Plan, words_of
from torture.session import torture_host
from torture.table import kinds, table


def main() -> int:
    """Torture as the command line says; return 1 unless there was no third state."""
    plan = _parse(sys.argv[1:])
    results = torture_host(plan)
    print(f"\n{table(results)}")
    found = sum(int(str(result["third"])) for result in results)
    if found:
        print(f"\nThird states by kind:\n{kinds(results)}")
    print(f"\ntorture: {found} third states in {sum(int(str(r['points'])) for r in results)} points")
    return 1 if found or not results else 0


def _parse(words: list[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="torture", description="Faults at every point of every operation.")
    parser.add_argument("--suite", choices=tuple(RUNTIMES), default="trixie")
    parser.add_argument("--parts", type=_parts, default=PARTS, help="of a,b,c,d,e,f,g")
    parser.add_argument("--operations", type=_operations, default=OPERATIONS)
    parser.add_argument("--rounds", type=int, default=300, help="random kills (e)")
    parser.add_argument("--runs", type=int, default=200, help="commands at the same time (f)")
    parser.add_argument("--sample", type=int, default=0, help="so many points of each; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(words)
    if os.geteuid() != 0:
        parser.error("only root can boot a host")
    return Plan(**vars(arguments))


def _parts(text: str) -> tuple[str, ...]:
    return words_of(text, PARTS)


def _operations(text: str) -> tuple[str, ...]:
    return words_of(text, OPERATIONS)


if __name__ == "__main__":
    sys.exit(main())
