"""The images of the example etcd: 3.4 of Debian bookworm, and 3.5 of trixie."""

from pathlib import Path

from testhost.examples import example_layout

ETCD_SUITES = {"3.4": "bookworm", "3.5": "trixie"}


def etcd_layout(version: str) -> Path:
    """Return a cached OCI layout with etcd 3.4 or 3.5, made now if the cache has none."""
    return example_layout("etcd", suite=ETCD_SUITES[version])
