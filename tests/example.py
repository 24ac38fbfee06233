"""The example of os-containers-image(5), as who copies it from there has it."""

import re
from pathlib import Path

MANUAL = Path(__file__).parent.parent / "docs/os-containers-image.5.rst"
_FILE = re.compile(r"^``(exports/\S+)``::\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def example_files() -> dict[str, str]:
    """Return the files of the image by their paths in it: what stands under ``exports/...`` on the page."""
    return {f"/{path}": _text(block) for path, block in _FILE.findall(MANUAL.read_text())}


def _text(block: str) -> str:
    return "".join(f"{line[4:]}\n" for line in block.rstrip("\n").split("\n"))
