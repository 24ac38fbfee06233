"""A host as where no package brings the unit of os-containers: the program writes one there."""

import contextlib
from collections.abc import Iterator

from testhost.machine import Host

UNIT = "os-containers-recover.service"
PACKAGED_UNIT = f"/usr/lib/systemd/system/{UNIT}"
WANTS = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
_ASIDE = "/run/unpackaged"


@contextlib.contextmanager
def without_packaged_unit(host: Host) -> Iterator[None]:
    """Have a host without the unit of the package; it is there again afterwards."""
    host.run(f"mkdir {_ASIDE} && mv {PACKAGED_UNIT} {_ASIDE}/unit && mv {WANTS} {_ASIDE}/link")
    host.run("systemctl daemon-reload")
    try:
        yield
    finally:
        host.run(
            f"mv {_ASIDE}/unit {PACKAGED_UNIT} && mkdir -p $(dirname {WANTS}) && mv {_ASIDE}/link {WANTS}"
        )
        host.run(f"rmdir {_ASIDE} && systemctl daemon-reload")
