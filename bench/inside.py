"""Runs in a host: a program's wall time, processor time and memory, as JSON on stdout.

python3 - COMMAND...   with this file as stdin
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Measure what the command line says."""
    started = time.monotonic()
    child = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if status:
        sys.exit(f"{sys.argv[1:]}: {os.waitstatus_to_exitcode(status)}")
    facts = {"wall": wall, "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main()
