"""The images of the example etcd: Debian's packages as the first layer, examples/etcd as the second."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from testhost.commands import TOGETHER, CommandError, run
from testhost.layout import tar_of, write_layout
from testhost.roots import cached_tree, key_of
from testhost.source import SOURCE
from testhost.storage import cache_directory

EXAMPLE = SOURCE / "examples/etcd"
ETCD_SUITES = {"3.4": "bookworm", "3.5": "trixie"}
PACKAGES = ("base-files", "coreutils", "dash", "etcd-client", "etcd-server", "libc6")
# What the packages bring and a container does not need.
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/perl5/*",
    "/usr/bin/etcdutl",
    "/var/lib/apt/*",
    "/var/lib/dpkg/*",
)
# Raise it when a step of _build changes.
RECIPE = "2"


def etcd_layout(version: str) -> Path:
    """Return a cached OCI layout with etcd 3.4 or 3.5, made now if the cache has none."""
    directory = cache_directory() / "images"
    directory.mkdir(exist_ok=True)
    base = _cached_base(directory, ETCD_SUITES[version])
    name = f"etcd-{version}-{key_of(RECIPE, base.name, *_example_files())}"
    return cached_tree(directory, name, lambda target: _build(version, base, target))


def _example_files() -> list[str]:
    files = [path for path in sorted(EXAMPLE.rglob("*")) if path.is_file() and path.name != "README.md"]
    return [f"{path.relative_to(EXAMPLE)} {path.stat().st_mode:o} {path.read_text()}" for path in files]


def _cached_base(directory: Path, suite: str) -> Path:
    name = f"etcd-base-{suite}-{key_of(RECIPE, suite, *PACKAGES, *LEFT_OUT)}.tar"
    return cached_tree(directory, name, lambda target: _install_packages(suite, target))


def _install_packages(suite: str, target: Path) -> None:
    print(f"testhost: making a root file system with etcd of Debian {suite}, about 10 s", flush=True)
    run([
        *TOGETHER, "mmdebstrap", "--variant=extract", f"--include={','.join(PACKAGES)}", "--format=tar",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        # device nodes: an OSTree repo has no place for them, and the runtime makes its own
        "--skip=output/dev",
        suite, target,
    ])  # fmt: skip


def _build(version: str, base: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        added = Path(scratch)
        _add_example(base, added)
        write_layout(
            target,
            tag=version,
            layers=[base.read_bytes(), tar_of(added)],
            config={
                "Entrypoint": ["/usr/bin/etcd-start"],
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "StopSignal": "SIGTERM",
                "Labels": {"atomic.type": "system", "org.opencontainers.image.title": f"etcd {version}"},
            },
        )


def _add_example(base: Path, added: Path) -> None:
    """Write what the second layer holds."""
    shutil.copytree(EXAMPLE / "exports", added / "exports")
    (added / "usr/bin").mkdir(parents=True)
    shutil.copy(EXAMPLE / "etcd-start", added / "usr/bin")
    for mount_point in ("etc/etcd", "var/lib/etcd", "proc", "dev", "run", "tmp", "sys"):
        (added / mount_point).mkdir(parents=True, exist_ok=True)
    command = added / "exports/hostfs/usr/local/bin/etcdctl"
    command.parent.mkdir(parents=True)
    command.write_bytes(_read_member(base, "./usr/bin/etcdctl"))
    command.chmod(0o755)


def _read_member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        member = opened.extractfile(name)
        if member is None:
            raise CommandError(f"{name} in {archive} is not a file")
        return member.read()
