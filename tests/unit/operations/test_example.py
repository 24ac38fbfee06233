"""The example of os-containers-image(5) makes the container that the page promises."""

import json
from typing import TYPE_CHECKING

from example import example_files

from os_containers.operations.choices import Choices
from os_containers.operations.install import install
from os_containers.paths import Mode

if TYPE_CHECKING:
    from conftest import Machine


def test_the_example_of_the_manual_can_be_installed_twice(machine: "Machine") -> None:
    """Each container has a port, a configuration and data of its own."""
    files = example_files()
    assert len(files) == 5
    machine.store("1", more={**files, "/bin/busybox": "#!", "/etc/web/.keep": "", "/srv/www/.keep": ""})
    for name, settings in (("web", {}), ("web-internal", {"PORT": "8081"})):
        install(machine.system, "example.org/app:latest", Choices(settings), name=name)
    assert [_port(machine, "web"), _port(machine, "web-internal")] == ["8080", "8081"]
    unit = (machine.paths.units / "web-internal.service").read_text()
    assert "Description=web-internal, a web server on port 8081\n" in unit
    assert (
        str(machine.paths.state_directory / "web-internal")
        in (machine.paths.tmpfiles / "web-internal.conf").read_text()
    )
    if machine.paths.mode is Mode.SYSTEM:
        assert (
            "# what the web server web lets in\n"
            in (machine.paths.config_directory / "web/httpd.conf").read_text()
        )


def _port(machine: "Machine", name: str) -> str:
    *_, command = json.loads((machine.paths.state / name / "config.json").read_text())["process"]["args"]
    return str(command.partition("-p ")[2].partition(" ")[0])
