"""make bench: python3 -m bench --rows=pull-big,start --rounds=5."""

import argparse
import os
import sys

from bench.picture import draw
from bench.program import Program
from bench.result import RESULTS, load_results, write
from bench.rows import ROWS
from bench.setting import Setting
from bench.table import table


def main() -> int:
    """Run the rows that the command line names, and show them."""
    rows, rounds = _parse(sys.argv[1:])
    setting = Setting(rounds, Program.install())
    for row in rows:
        print(f"bench: {row}", flush=True)
        ROWS[row](setting).save()
    print(f"\n{table(load_results(rows))}")
    write(RESULTS / "bench.svg", draw(load_results(list(ROWS))))
    print(f"\nbench: every run is in {RESULTS}, with a picture of all rows, bench.svg")
    return 0


def _parse(words: list[str]) -> tuple[list[str], int]:
    parser = argparse.ArgumentParser(
        prog="bench", description="How fast we are, beside podman and the limit."
    )
    parser.add_argument("--rows", default="", help=f"of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many counts")
    arguments = parser.parse_args(words)
    rows = str(arguments.rows).split(",") if arguments.rows else list(ROWS)
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    if os.geteuid() != 0:
        parser.error("only root can mount a file system")
    return rows, int(arguments.rounds)


if __name__ == "__main__":
    sys.exit(main())
