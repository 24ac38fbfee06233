"""Images that name no command: legitimate when nothing but `run` starts a container of them."""

import json
from typing import TYPE_CHECKING

import pytest

from os_containers.errors import ImageError
from os_containers.operations.choices import Choices
from os_containers.operations.install import install

if TYPE_CHECKING:
    from conftest import Machine

INSTALL = "[Install]\nWantedBy=multi-user.target\n"
ON_THE_HOST = f"[Service]\nWorkingDirectory=$DESTDIR/rootfs\nExecStart=/usr/bin/agent\n{INSTALL}"


@pytest.mark.parametrize(
    "exports",
    [
        {"service.template": ON_THE_HOST},
        {"manifest.json": '{"noContainerService": true}'},
    ],
    ids=["a program of the host", "no service"],
)
def test_an_image_whose_service_runs_no_container_needs_no_command(
    machine: "Machine", exports: dict[str, str]
) -> None:
    """An agent may run on the host, in the rootfs of its image."""
    machine.store("1", exports=exports, cmd=())
    install(machine.system, "example.org/app", Choices())
    config = json.loads((machine.paths.state / "app/config.json").read_text())
    assert config["process"]["args"] == ["/bin/sh"]


def test_an_image_whose_service_runs_a_container_needs_a_command(machine: "Machine") -> None:
    """There would be nothing to start."""
    machine.store("1", exports={"service.template": f"[Service]\nExecStart=$EXEC_START\n{INSTALL}"}, cmd=())
    with pytest.raises(ImageError, match="names no command"):
        install(machine.system, "example.org/app", Choices())
