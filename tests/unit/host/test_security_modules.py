"""Which security modules are on."""

from pathlib import Path

import pytest

from os_containers.host.security_modules import security_modules


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        ({}, set()),
        ({"fs/selinux/enforce": "0"}, {"SELinux"}),
        ({"module/apparmor/parameters/enabled": "Y\n"}, {"AppArmor"}),
        ({"module/apparmor/parameters/enabled": "N\n"}, set()),
    ],
)
def test_a_module_is_on_when_the_kernel_says_so(
    tmp_path: Path, files: dict[str, str], modules: set[str]
) -> None:
    """Permissive SELinux labels processes, too."""
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    assert security_modules(tmp_path) == modules
