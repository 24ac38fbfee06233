"""The host's files, by descriptors: which links are followed, and where a path really is."""

import os
from pathlib import Path

import pytest

from os_containers.deployment.exports import FileKind
from os_containers.errors import ConflictError
from os_containers.host.host_root import HostRoot
from os_containers.host.walk import LINK_LIMIT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.mark.parametrize(
    ("target", "real"),
    [
        ("usr/lib", "/usr/lib/x"),
        ("/usr/lib", "/usr/lib/x"),
        ("./usr/../usr/lib", "/usr/lib/x"),
        ("../../../usr/lib", "/usr/lib/x"),
        ("usr/missing", "/usr/missing/x"),
        ("/", "/x"),
    ],
)
def test_b70_a_link_that_root_made_is_followed_and_the_real_path_told(
    tmp_path: Path, target: str, real: str
) -> None:
    """As usr-merge has them; it never leads above the root."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to(target)
    assert HostRoot(tmp_path).real_path("/lib/x") == real


def test_b70_the_last_name_is_never_followed(tmp_path: Path) -> None:
    """A link is what is there, not what it points to."""
    (tmp_path / "secret").write_text("x")
    (tmp_path / "a").symlink_to("secret")
    root = HostRoot(tmp_path)
    found = root.find(root.real_path("/a"))
    assert found is not None
    assert (found.path, found.kind) == ("/a", FileKind.SYMLINK)


def test_b70_a_link_in_a_directory_that_others_write_to_is_a_conflict(tmp_path: Path) -> None:
    """Anybody could have put it there, whoever owns it."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open/link").symlink_to("/victim")
    for mode in (0o777, 0o1777, 0o775):
        (tmp_path / "open").chmod(mode)
        with pytest.raises(ConflictError, match="/open/link is a symlink that users other than root"):
            HostRoot(tmp_path).real_path("/open/link/x")
    (tmp_path / "open").chmod(0o755)
    assert HostRoot(tmp_path).real_path("/open/link/x") == "/victim/x"


@as_root
@pytest.mark.parametrize("given", ["link", "directory"])
def test_b70_a_link_of_another_user_is_a_conflict(tmp_path: Path, given: str) -> None:
    """Of theirs, or in a directory of theirs."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/link").symlink_to("/")
    os.chown(tmp_path / ("home/link" if given == "link" else "home"), 1000, 1000, follow_symlinks=False)
    with pytest.raises(ConflictError, match="/home/link is a symlink"):
        HostRoot(tmp_path).real_path("/home/link/etc/passwd")


def test_b70_a_loop_of_links_is_a_conflict(tmp_path: Path) -> None:
    """So is a chain that is longer than the kernel's own limit; one of just that length is none."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "0").mkdir()
    for number in range(LINK_LIMIT + 1):
        (tmp_path / f"{number + 1}").symlink_to(f"{number}")
    root = HostRoot(tmp_path)
    assert root.real_path(f"/{LINK_LIMIT}/x") == "/0/x"
    for path in ("/a/x", f"/{LINK_LIMIT + 1}/x"):
        with pytest.raises(ConflictError, match="too many symlinks"):
            root.real_path(path)


def test_b70_a_file_in_the_way_is_a_conflict(tmp_path: Path) -> None:
    """The path that is meant cannot be."""
    (tmp_path / "etc").write_text("x")
    with pytest.raises(ConflictError, match="/etc is not a directory"):
        HostRoot(tmp_path).real_path("/etc/a")


def test_b70_cve_2026_34078_a_link_that_comes_after_the_look_up_is_a_conflict(tmp_path: Path) -> None:
    """Even one of root's: the real path has none."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "victim").mkdir()
    root = HostRoot(tmp_path)
    real = root.real_path("/etc/a")
    (tmp_path / "etc").rmdir()
    (tmp_path / "etc").symlink_to("victim")
    with pytest.raises(ConflictError, match="/etc has become a symlink"):
        root.find(real)


def test_cve_2025_9566_a_link_that_a_container_brought_is_not_followed(tmp_path: Path) -> None:
    """The first run makes the link, the second would write through it."""
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/app").symlink_to("cron.d")
    with pytest.raises(ConflictError, match="/etc/app is a symlink that a container brought"):
        HostRoot(tmp_path).distrusting({"/etc/app"}).real_path("/etc/app/job")


def test_b69_a_pipe_is_a_conflict_and_does_not_make_us_wait(tmp_path: Path) -> None:
    """Nor is it opened."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConflictError, match="/pipe is a device, a pipe or a socket"):
        HostRoot(tmp_path).find("/pipe")


def test_a_missing_directory_has_nothing_in_it(tmp_path: Path) -> None:
    """And the nearest one above is told."""
    (tmp_path / "etc").mkdir()
    root = HostRoot(tmp_path)
    assert root.find("/etc/app/conf") is None
    assert root.existing_directory("/etc/app/conf.d") == "/etc"
    assert root.existing_directory("/srv") == "/"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Not even after a conflict (CVE-2024-21626 came of one)."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("/usr/lib/../lib/missing/../..")
    (tmp_path / "a").symlink_to("a")
    root = HostRoot(tmp_path)
    before = open_descriptors()
    root.find(root.real_path("/lib/x"))
    with pytest.raises(ConflictError):
        root.real_path("/a/x")
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
