"""What the packages say agrees with what the project says."""

import re
import tomllib
from pathlib import Path

import pytest

from os_containers.version import VERSION
from testhost.source import packages_in, version

DEPENDENCIES = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]


def test_the_version_is_the_same_everywhere() -> None:
    """Debian's has a revision behind it, and the spec is given it when it is built."""
    assert version() == VERSION
    assert Path("debian/changelog").read_text().startswith(f"os-containers ({VERSION}-")


@pytest.mark.parametrize("dependency", DEPENDENCIES)
def test_a_package_asks_for_each_module(dependency: str) -> None:
    """In the version that the project asks for, where it is built and where it is installed."""
    name, least = dependency.split(">=")
    control = re.findall(rf"^ python3-{name} \(>= {re.escape(least)}\),$", debian(), re.MULTILINE)
    spec = re.findall(
        rf"^(?:Requires|Recommends): +python3-{name} >= {re.escape(least)}$", rpm(), re.MULTILINE
    )
    assert (len(control), len(spec)) == (2, 1)


def test_packages_are_read_from_a_field_of_debian_control() -> None:
    """Of alternatives the first; what substitutes itself later and debhelper's own level are none."""
    assert packages_in("Recommends") == ("dbus-user-session", "uidmap")
    assert "crun" in packages_in("Depends")
    assert not [name for name in packages_in("Build-Depends") if "{" in name or name.startswith("debhelper")]


def debian() -> str:
    return Path("debian/control").read_text()


def rpm() -> str:
    return Path("packaging/os-containers.spec").read_text()
