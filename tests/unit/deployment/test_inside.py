"""What a path is to the processes of a container: its links lead elsewhere than they would on the host."""

from pathlib import Path, PurePosixPath

import pytest

from os_containers.deployment.inside import Inside, look_inside

MOUNTS = ("/data", "/var/run/app", "scratch", "//srv")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """Give one whose links would lead to the host's own files."""
    root = tmp_path / "rootfs"
    for directory in ("usr/bin", "var", "run", "etc"):
        (root / directory).mkdir(parents=True)
    (root / "usr/bin/app").touch()
    for link, target in (
        ("bin", "/usr/bin"),
        ("var/run", "/run"),
        ("usr/bin/up", "../../../../usr/bin/app"),
        ("usr/bin/host", str(tmp_path / "outside")),
        ("loop", "loop"),
        ("slashes", "//usr/bin"),
        ("dangling", "nowhere"),
        ("mounted", "data/x"),
    ):
        (root / link).symlink_to(target)
    (tmp_path / "outside").touch()
    return root


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", Inside.DIRECTORY),
        ("/etc", Inside.DIRECTORY),
        ("/bin/app", Inside.OTHER),
        ("/bin/up", Inside.OTHER),
        ("/bin/../etc", Inside.MISSING),
        ("/usr/../etc", Inside.DIRECTORY),
        ("/bin/sh", Inside.MISSING),
        ("/bin/host", Inside.MISSING),
        ("/bin/app/x", Inside.MISSING),
        ("/no/such", Inside.MISSING),
        ("/dangling", Inside.MISSING),
        ("/loop", Inside.OTHER),
        ("/data", Inside.UNKNOWN),
        ("/data/x/y", Inside.UNKNOWN),
        ("/mounted", Inside.UNKNOWN),
        ("/run/app/x", Inside.UNKNOWN),
        ("/var/run/app/x", Inside.UNKNOWN),
        ("/scratch/x", Inside.UNKNOWN),
        ("//bin/app", Inside.OTHER),
        ("/slashes/app", Inside.OTHER),
        ("/srv/x", Inside.UNKNOWN),
    ],
)
def test_a_path_is_what_the_container_finds_there(rootfs: Path, path: str, found: Inside) -> None:
    """In a mount, by whichever way, its rootfs does not tell."""
    assert look_inside(rootfs, PurePosixPath(path), MOUNTS) is found
