"""Run the fuzz targets, one after the other: python -m fuzz --seconds=60 [TARGET...].

corpus/TARGET/            seeds, and inputs that once were findings; `make unit` replays them
build/fuzz/TARGET/new/    inputs that reached new code, kept for the next run
build/fuzz/TARGET/crash-… a finding: mend the product, then move it into corpus/TARGET
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzz.targets import CORPUS, TARGETS

BUILD = Path("build/fuzz")

# seconds for one input, and megabytes for the process
_TIMEOUT = 10
_MEMORY = 1024
_MAX_LENGTH = 8192

_EXECUTIONS = re.compile(r"number_of_executed_units: (\d+)")


def main() -> int:
    asked = _arguments()
    seconds = max(1, asked.seconds // len(asked.targets))
    found = [_fuzz(name, seconds) for name in asked.targets]
    return 1 if any(found) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    asked.targets = asked.targets or list(TARGETS)
    return asked


def _fuzz(name: str, seconds: int) -> list[Path]:
    """Fuzz one target in a process of its own and return the inputs that it failed on."""
    place = BUILD / name
    new = place / "new"
    new.mkdir(parents=True, exist_ok=True)
    former = _findings(place)
    options = {
        "max_total_time": seconds,
        "timeout": _TIMEOUT,
        "rss_limit_mb": _MEMORY,
        "max_len": _MAX_LENGTH,
        "artifact_prefix": f"{place}/",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    written = [f"-{option}={value}" for option, value in options.items()]
    with _scratch() as directory:
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.one", name, *written, new, CORPUS / name],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "TMPDIR": directory},
        )
    findings = sorted(_findings(place) - former)
    _tell(name, done, findings)
    return findings or ([place] if done.returncode else [])


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """Yield a place for what targets write: in memory, where memory keeps extended attributes (Linux 6.6)."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as on_disk, contextlib.ExitStack() as kept:
        place = on_disk
        with contextlib.suppress(OSError):
            in_memory = kept.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm"))
            os.setxattr(in_memory, "user.test", b"")
            place = in_memory
        yield place


def _findings(place: Path) -> set[Path]:
    return {path for path in place.iterdir() if path.is_file()}


def _tell(name: str, done: subprocess.CompletedProcess[str], findings: list[Path]) -> None:
    counted = _EXECUTIONS.search(done.stderr)
    sys.stdout.write(f"{name:16} {int(counted[1]) if counted else 0:>10,} executions\n")
    if done.returncode:
        sys.stdout.write("".join(f"    {line}\n" for line in (done.stdout + done.stderr).splitlines()[-40:]))
    for path in findings:
        sys.stdout.write(f"    FOUND {path}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
