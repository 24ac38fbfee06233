"""The command line in a process of its own, as a user calls it."""

import os
import subprocess
import sys
from pathlib import Path


def call(*words: str, home: Path, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run it with a home of its own and return what came of it."""
    environment = os.environ | {
        "HOME": str(home),
        "OS_CONTAINERS_CHECKOUT_PATH": str(home / "state"),
        # PyGObject 3.42 imports in a way that newer Pythons warn about
        "PYTHONWARNINGS": "error,ignore::ImportWarning",
    }
    return subprocess.run(
        [sys.executable, "-c", "from os_containers.cli.start import main; main()", *words],
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
