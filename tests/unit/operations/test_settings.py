"""What is set on this host, and who says so; config show has more of it."""

import os
from typing import TYPE_CHECKING

import pytest

from os_containers.host.host_policy import POLICY_FILE
from os_containers.operations.settings import Setting, Source, list_settings

if TYPE_CHECKING:
    from conftest import Machine


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has host files")
def test_what_any_image_may_bring_is_shown(machine: "Machine") -> None:
    """With the file that says so."""
    assert list_settings(machine.system, {})[-1] == Setting("allow-host-paths", "", Source.DEFAULT)
    policy = machine.paths.config_directory / POLICY_FILE
    policy.parent.mkdir(parents=True)
    policy.write_text('allow-host-paths = ["/etc/cron.d", "/boot"]\n')
    expected = Setting("allow-host-paths", "/etc/cron.d, /boot", Source.FILE, str(policy))
    assert list_settings(machine.system, {})[-1] == expected
