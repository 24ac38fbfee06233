"""The security modules of the kernel that label processes, and are on here."""

from pathlib import Path

from os_containers import selinux


def security_modules(sys: Path = Path("/sys")) -> frozenset[str]:
    """Return which of SELinux and AppArmor the host runs."""
    found = {"SELinux": selinux.is_on(sys), "AppArmor": _is_apparmor_on(sys)}
    return frozenset(module for module, is_on in found.items() if is_on)


def _is_apparmor_on(sys: Path) -> bool:
    try:
        return (sys / "module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        return False
