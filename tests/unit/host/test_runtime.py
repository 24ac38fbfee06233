"""Which OCI runtime is taken, and what is known of it."""

from pathlib import Path

import pytest
from fakes import shim

from os_containers.errors import SystemFaultError
from os_containers.host.runtime import find_runtime, known_faults


def test_b91_the_runtime_asked_for_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the recorded one, then RUNTIME, then what the configuration says, then crun before runc."""
    for name in ("crun", "runc", "other"):
        shim(tmp_path, name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = {"RUNTIME": "runc"}
    found = [
        find_runtime("other", recorded="crun", environment=environment),
        find_runtime(None, recorded="crun", environment=environment),
        find_runtime(None, recorded="", environment=environment),
        find_runtime(None, recorded="", environment=environment, configured="other"),
        find_runtime(None, recorded="", environment={}, configured="other"),
        find_runtime(None, recorded="", environment={}),
    ]
    assert [one.path.name for one in found] == ["other", "crun", "runc", "runc", "other", "crun"]


@pytest.mark.parametrize("wanted", [None, "runc", "/nowhere/runc"])
def test_b91_a_missing_runtime_names_the_package(
    wanted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was asked for or not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemFaultError, match="installed") as raised:
        find_runtime(wanted, recorded="", environment={})
    assert "runc" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        ("1.0.0-rc6", ["CVE-2019-5736", "CVE-2021-30465", "CVE-2024-21626", "CVE-2025-31133"]),
        ("1.0.0~rc93+ds1", ["CVE-2021-30465", "CVE-2024-21626", "CVE-2025-31133"]),
        ("1.0.0-rc95", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("1.1.5+ds1", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("1.1.12", ["CVE-2025-31133"]),
        ("1.2.7", ["CVE-2025-31133"]),
        ("1.2.8", []),
        ("1.3.2", ["CVE-2025-31133"]),
        ("1.3.3", []),
        ("1.4.0-rc.2", ["CVE-2025-31133"]),
        ("1.4.0-rc.3", []),
        ("1.4.0", []),
        ("2.0.0", []),
    ],
)
def test_cve_2019_5736_cve_2021_30465_cve_2024_21626_cve_2025_31133_cve_2025_52565_cve_2025_52881_old_runc(
    version: str, faults: list[str]
) -> None:
    """Each is named that a version of runc has; the last three were mended together."""
    warnings = known_faults(f"runc version {version}\ncommit: v1\nspec: 1.0.2\n")
    assert len(warnings) == bool(faults)
    for warning in warnings:
        assert f"that fix {', '.join(faults)}: use" in warning


@pytest.mark.parametrize("said", ["", "crun version 1.8.1\n", "runc version unknown\n"])
def test_what_tells_no_version_of_runc_is_not_warned_of(said: str) -> None:
    """Neither crun nor a shim is known to have these."""
    assert known_faults(said) == []
