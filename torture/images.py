"""The images that are tortured: two versions that differ in every kind of file that reaches a host."""

import json
import random

from testhost.hello import HelloImage
from testhost.machine import Host
from testhost.registry import Registry

# The container's own command ends at once, so that no time is spent on watching it; the marker tells which
# version was started.
UNIT = """\
[Unit]
Description=version {version} of $NAME
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=$EXEC_STARTPRE
ExecStart=$EXEC_START
ExecStartPost=/bin/cp $DESTDIR/rootfs/version /run/$NAME.version
ExecStop=/bin/rm -f /run/$NAME.version
[Install]
WantedBy={wanted_by}
"""
WANTED_BY = {"1": "multi-user.target", "2": "multi-user.target default.target"}


def push_images(host: Host, registry: Registry) -> None:
    """Push all of them to the registry of a host."""
    for version in ("1", "2"):
        for name, image in _images(version).items():
            with image.layout(host) as layout:
                registry.push(layout, f"{name}:{version}")
    cargo = HelloImage("1", files={f"/data/{number}": f"{number}\n" for number in range(8)})
    with cargo.layout(host) as layout:
        registry.push(layout, "cargo:1")


def push_filling(host: Host, registry: Registry, count: int) -> None:
    """Push images that fill a disk, 4 MiB each, with the tags 1 to count."""
    for number in range(1, count + 1):
        with _filling(number).layout(host) as layout:
            registry.push(layout, f"filling:{number}")


def _images(version: str) -> dict[str, HelloImage]:
    host_files = {
        "/exports/hostfs/etc/torture/both.conf": f"version {version}\n",
        f"/exports/hostfs/etc/torture/only-{version}.conf": f"{version}\n",
        "/exports/hostfs/etc/torture/rendered.conf": f"version {version} of $NAME\n",
        "/exports/tmpfiles.template": f"d /var/lib/$NAME 0750 root root -\n# version {version}\n",
        "/exports/manifest.json": json.dumps({
            "renameFiles": {"/etc/torture": "/etc/$NAME"},
            "installedFilesTemplate": ["/etc/torture/rendered.conf"],
        }),
    }  # fmt: skip
    unit = UNIT.format(version=version, wanted_by=WANTED_BY[version])
    ends = {"Cmd": ["/bin/true"]}
    return {
        "torture": HelloImage(version, files={**host_files, "/exports/service.template": unit}, config=ends),
        "service": HelloImage(version, files=host_files),
    }


def _filling(number: int) -> HelloImage:
    source = random.Random(number)  # noqa: S311 - not a secret
    # 4 MiB that no compression shortens much
    return HelloImage(
        str(number), files={f"/filling/{part}": source.randbytes(1 << 20).hex() for part in "ab"}
    )
