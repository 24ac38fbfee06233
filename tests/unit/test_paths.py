"""Where things are."""

from pathlib import Path

import pytest

from os_containers.errors import SystemFaultError
from os_containers.paths import Mode, Paths


def test_root_has_the_hosts_paths() -> None:
    """As the predecessors have them."""
    paths = Paths.find(uid=0, environment={})
    assert paths.mode is Mode.SYSTEM
    assert paths.state == Path("/var/lib/containers/atomic")
    assert paths.repo == Path("/var/lib/containers/atomic/.storage/repo")
    assert paths.units == Path("/etc/systemd/system")
    assert paths.tmpfiles == Path("/etc/tmpfiles.d")
    assert paths.config_files == (Path("/etc/os-containers/config.toml"),)


def test_b102_a_user_has_the_xdg_paths() -> None:
    """A home may have blanks."""
    paths = Paths.find(uid=1000, environment={"HOME": "/home/a b", "XDG_RUNTIME_DIR": "/run/user/1000"})
    assert paths.mode is Mode.USER
    assert paths.state == Path("/home/a b/.local/share/containers/atomic")
    assert paths.units == Path("/home/a b/.config/systemd/user")
    assert paths.run_directory == Path("/run/user/1000")
    assert paths.config_files == (
        Path("/etc/os-containers/config.toml"),
        Path("/home/a b/.config/os-containers/config.toml"),
    )


def test_the_environment_moves_state_and_repo() -> None:
    """Each on its own."""
    moved = {"OS_CONTAINERS_CHECKOUT_PATH": "/srv/c", "OSTREE_REPO": "/srv/r"}
    paths = Paths.find(uid=0, environment=moved)
    assert (paths.state, paths.repo) == (Path("/srv/c"), Path("/srv/r"))


@pytest.mark.parametrize("environment", [{}, {"HOME": "home"}, {"HOME": "/h", "OSTREE_REPO": "x"}])
def test_b102_what_is_not_absolute_is_refused(environment: dict[str, str]) -> None:
    """Nothing is ever written relative to where one happens to be."""
    with pytest.raises(SystemFaultError):
        Paths.find(uid=1000, environment=environment)
