"""Write man pages, completions or schemas into a directory."""

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from manual import pages
from os_containers.cli.main import cli
from os_containers.cli.schemas import outputs, progress_schema, schema
from os_containers.cli.shells import Shell, script
from os_containers.version import VERSION

PROGRAM = "os-containers"
ALIAS = "os-container"
DOCS = Path(__file__).parent.parent / "docs"

_FONT = re.compile(r"^\.ft [CP]\n", re.MULTILINE)
_AFTER_HEADING = re.compile(r"^(\.S[HS] .*\n)\.sp\n", re.MULTILINE)


def write_man(directory: Path) -> None:
    """Write a page for each command, and those that are written by hand."""
    date = _date()
    for page in pages.root_page(cli, PROGRAM).walk():
        (directory / f"{page.name}.1").write_text(pages.render(page, date=date))
    _link(directory / f"{ALIAS}.1", f"{PROGRAM}.1")
    for source in sorted(DOCS.glob("*.[1-8].rst")):
        (directory / source.stem).write_text(_converted(source.read_text(), date))


def _converted(page: str, date: str) -> str:
    """Return a page of reStructuredText in man(7)."""
    fields = f":Date: {date}\n:Version: {PROGRAM} {VERSION}\n:Manual section:"
    done = subprocess.run(
        [sys.executable, "-m", "docutils", "--writer=manpage", "--report=1", "--halt=2"],
        input=page.replace(":Manual section:", fields, 1),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # the vertical space after a heading is man's affair, and a terminal has no typewriter's font
    return _FONT.sub("", _AFTER_HEADING.sub(r"\1", done.stdout))


def write_completions(directory: Path) -> None:
    """Write what each shell loads when it meets the program's name, or its other one."""
    names = {Shell.BASH: "bash/{}", Shell.ZSH: "zsh/_{}", Shell.FISH: "fish/{}.fish"}
    for shell, name in names.items():
        target = directory / name.format(PROGRAM)
        target.parent.mkdir(exist_ok=True)
        target.write_text(script(shell))
        if shell is not Shell.ZSH:
            # zsh reads in the file itself which names it is for
            _link(directory / name.format(ALIAS), target.name)


def write_schemas(directory: Path) -> None:
    """Write the schema of what each command prints with --json, and that of the progress."""
    found = {name: schema(name, output) for name, output in outputs(cli, PROGRAM)}
    for name, tree in (found | {f"{PROGRAM} progress": progress_schema()}).items():
        path = directory / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps(tree, indent=2) + "\n")


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _date() -> str:
    """Return the day of the pages: that of the source in a package, so that builds are equal."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(epoch), tz=UTC) if epoch else datetime.now(tz=UTC)
    return f"{day:%Y-%m-%d}"


WRITERS = {"completions": write_completions, "man": write_man, "schemas": write_schemas}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m manual", description=__doc__)
    parser.add_argument("what", choices=sorted(WRITERS))
    parser.add_argument("directory", type=Path)
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    WRITERS[asked.what](asked.directory)


if __name__ == "__main__":
    main()
