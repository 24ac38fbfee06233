"""Write man pages, completions or schemas into a directory."""

import argparse
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from manual import pages
from os_containers.cli.main import cli

PROGRAM = "os-containers"
ALIAS = "os-container"
DOCS = Path(__file__).parent.parent / "docs"


def write_man(directory: Path) -> None:
    """Write a page for each command, and those that are written by hand."""
    date = _date()
    for page in pages.root_page(cli, PROGRAM).walk():
        (directory / f"{page.name}.1").write_text(pages.render(page, date=date))
    alias = directory / f"{ALIAS}.1"
    alias.unlink(missing_ok=True)
    alias.symlink_to(f"{PROGRAM}.1")
    for source in sorted(DOCS.glob("*.5.md")):
        target = directory / source.stem
        subprocess.run(["go-md2man", f"-in={source}", f"-out={target}"], check=True)


def _date() -> str:
    """Return the day of the pages: that of the source in a package, so that builds are equal."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(epoch), tz=UTC) if epoch else datetime.now(tz=UTC)
    return f"{day:%Y-%m-%d}"


WRITERS = {"man": write_man}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m manual", description=__doc__)
    parser.add_argument("what", choices=sorted(WRITERS))
    parser.add_argument("directory", type=Path)
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    WRITERS[asked.what](asked.directory)


if __name__ == "__main__":
    main()
