"""Paths in an image config: they mean places in the container, never ones of the host."""

from pathlib import Path

import pytest

from os_containers.deployment.accounts import Account
from os_containers.deployment.default_config import default_config
from os_containers.errors import ImageError
from os_containers.image.manifest import ContainerConfig

ROOT = Account(0, 0, ())


@pytest.mark.parametrize("volume", ["/../../etc", "../etc", "/data/../../etc", "/", "", "data", "/a\nb"])
def test_cve_2022_23648_a_volume_is_a_path_beneath_the_root(tmp_path: Path, volume: str) -> None:
    """One that climbs out would show the container a directory of the host."""
    wanted = ContainerConfig(cmd=("/bin/app",), volumes=(volume,))
    with pytest.raises(ImageError, match="the image has the invalid volume"):
        default_config(wanted, name="app", account=ROOT, state_directory=tmp_path)


def test_cve_2022_23648_the_source_of_a_volume_is_our_directory(tmp_path: Path) -> None:
    """Its content is never taken from the image, where a symlink could lead anywhere."""
    wanted = ContainerConfig(cmd=("/bin/app",), volumes=("/data/log",))
    config = default_config(wanted, name="app", account=ROOT, state_directory=tmp_path)
    (mount,) = [one for one in config["mounts"] if one["destination"] == "/data/log"]
    assert mount["source"] == f"{tmp_path}/app/data-log"
    assert list(tmp_path.iterdir()) == []


def test_cve_ghsa_q6r4_3wmg_fwcq_a_working_directory_is_not_made_on_the_host(tmp_path: Path) -> None:
    """WORKDIR goes to the runtime as text; it is looked up inside the container, symlinks and all."""
    victim = tmp_path / "victim"
    wanted = ContainerConfig(cmd=("/bin/app",), working_dir=str(victim))
    config = default_config(wanted, name="app", account=ROOT, state_directory=tmp_path)
    assert config["process"]["cwd"] == str(victim)
    assert list(tmp_path.iterdir()) == []
