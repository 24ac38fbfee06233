"""The names of the capabilities, and the few that a container has by default."""

import re
from pathlib import Path

_CAP_LAST_CAP = Path("/proc/sys/kernel/cap_last_cap")
_INIT = Path("/proc/1/status")

# In the order of linux/capability.h: the index is the kernel's number.
_NAMES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = tuple(f"CAP_{name}" for name in _NAMES.split())

# What podman grants too: enough for entrypoints that start as root and drop to their own user.
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)


def possible_capabilities(init: Path = _INIT) -> tuple[str, ...]:
    """Return the names of the capabilities that a service of this host can have.

    In a container the host's first process has not all that the kernel knows, and no service has more.
    """
    try:
        last, status = int(_CAP_LAST_CAP.read_text()), init.read_text()
    except (FileNotFoundError, PermissionError, ValueError):
        return CAPABILITIES
    bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    mask = int(bounding[1], 16) if bounding else -1
    return tuple(name for bit, name in enumerate(CAPABILITIES[: last + 1]) if mask >> bit & 1)
