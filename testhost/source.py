"""The source tree that these hosts are for, and what of it a package is made of."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
# of the source tree: it has pip and setuptools
DEVELOPMENT_PYTHON = SOURCE / ".venv/bin/python"
PACKAGED = (
    "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "debian", "docs", "manual", "packaging",
    "pyproject.toml", "src",
)  # fmt: skip
_CACHES = shutil.ignore_patterns("__pycache__", "*.egg-info")


def copy_source(target: Path) -> None:
    """Make target a copy of what a package is made of: what builds it writes there."""
    target.mkdir(parents=True)
    for one in _packaged():
        if one.is_dir():
            shutil.copytree(one, target / one.name, symlinks=True, ignore=_CACHES)
        else:
            shutil.copy(one, target)


def source_key() -> str:
    """Return a short name for exactly what a package is made of."""
    digest = hashlib.sha256()
    for path in sorted(_files()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCE)} {path.stat().st_mode:o} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def version() -> str:
    """Return the version of the program."""
    line = (SOURCE / "src/os_containers/version.py").read_text().splitlines()[-1]
    return line.partition('"')[2].rstrip('"')


def packages_in(field: str) -> tuple[str, ...]:
    """Return the packages that a field of debian/control names, of alternatives the first."""
    text = (SOURCE / "debian/control").read_text()
    found = re.search(rf"^{field}:((?:\n .*)*)", text, re.MULTILINE)
    names = re.findall(r"^ ([a-z0-9.+-]+)", found[1] if found else "", re.MULTILINE)
    return tuple(name for name in names if name != "debhelper-compat")


def _packaged() -> list[Path]:
    return [SOURCE / name for name in PACKAGED if (SOURCE / name).exists()]


def _files() -> Iterator[Path]:
    for top in _packaged():
        for path in top.rglob("*") if top.is_dir() else (top,):
            if path.is_file() and not re.search(r"/__pycache__/|\.egg-info/", str(path)):
                yield path
