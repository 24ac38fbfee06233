"""os-containers as an RPM, built from the spec in the root in which Debian's packages are built.

Debian's rpmbuild knows none of Fedora's macros: the spec says then what they would.
"""

import shutil
import tarfile
from pathlib import Path

from testhost.commands import run
from testhost.debian_package import inside, scratch_root
from testhost.source import SOURCE, copy_source, version

SUITE = "trixie"


def build_rpm(pool: Path, target: Path) -> Path:
    """Return an RPM of the source tree as it stands now, made in a directory."""
    with scratch_root(pool, SUITE) as tree:
        name = f"os-containers-{version()}"
        copy_source(tree / "build" / name)
        spec = (SOURCE / "packaging/os-containers.spec").read_text().replace("@VERSION@", version())
        (tree / "build/os-containers.spec").write_text(spec)
        with tarfile.open(tree / f"build/{name}.tar.gz", "w:gz") as archive:
            archive.add(tree / "build" / name, name)
        run([
            *inside(tree), "rpmbuild", "-bb", "--nodeps", "--define=_topdir /build/rpm",
            "--define=_sourcedir /build", "/build/os-containers.spec",
        ])  # fmt: skip
        (built,) = (tree / "build/rpm/RPMS").rglob("*.rpm")
        return Path(shutil.copy(built, target))
