"""What a package of a container says about itself; pure.

A package holds what `install` would make, where a distribution's own containers are:

/usr/lib/containers/atomic/NAME/               rootfs, config.json, info
/usr/lib/systemd/system/NAME.service           and its drop-in
/usr/lib/tmpfiles.d/NAME.conf
/etc/..., /usr/local/...                       host files; those in /etc are configuration
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from os_containers.errors import ImageError

BUNDLES = Path("/usr/lib/containers/atomic")
UNITS = Path("/usr/lib/systemd/system")
# where an update over the package puts its own unit
OVERRIDES = Path("/etc/systemd/system")
TMPFILES = Path("/usr/lib/tmpfiles.d")

_PREFIX = "org.opencontainers.image."
# What a label may give; the first that is there counts.
_LABELS = {
    "version": (f"{_PREFIX}version", "version", "Version", "atomic.version"),
    "release": ("release", "Release", "atomic.release"),
    "summary": ("summary", f"{_PREFIX}title", "atomic.summary"),
    "description": (f"{_PREFIX}description", "description", "io.k8s.description", "atomic.description"),
    "license": (f"{_PREFIX}licenses", "license", "atomic.license"),
    "url": (f"{_PREFIX}url", "url", "atomic.url"),
}
_VERSION = re.compile(r"v?([0-9][A-Za-z0-9.+~]*)")
_NOT_PLAIN = re.compile(r"[^ -~]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the same in every format; all texts are one printable line."""

    container: str
    image: str
    architecture: str
    version: str
    release: str
    summary: str
    description: str
    license: str
    url: str
    runtime: str

    @property
    def name(self) -> str:
        """The package's name, as atomic had it, in letters that every format allows."""
        return f"atomic-container-{self.container.lower().replace('_', '-')}"


def facts_of(
    container: str,
    *,
    image: str,
    tag: str,
    architecture: str,
    created: str | None,
    labels: Mapping[str, str],
    runtime: Path,
) -> Facts:
    """Return what a package of a container says, from the labels of its image where it has them."""
    said = {fact: _first(labels, keys) for fact, keys in _LABELS.items()}
    return Facts(
        container=container,
        image=image,
        architecture=architecture,
        version=_version(said["version"]) or _version(tag) or "0",
        release=_version(said["release"]) or _day_and_time(created),
        summary=(said["summary"] or f"{container}, system container")[:70],
        description=said["description"] or f"The image {image} as a service of the host.",
        license=said["license"] or "unknown",
        url=said["url"] if re.match("https?://", said["url"]) else "",
        runtime=runtime.name,
    )


def translated(architecture: str, known: Mapping[str, str], kind: str) -> str:
    """Return how a packaging format calls an architecture. Raises ImageError when it has no word for it."""
    if architecture not in known:
        raise ImageError(
            f"there are no {kind} packages for the architecture {architecture!a}",
            hint=f"it must be one of {', '.join(known)}: choose it with --platform",
        )
    return known[architecture]


def _first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    found = next((labels[key] for key in keys if labels.get(key)), "")
    return _NOT_PLAIN.sub(" ", found).strip()


def _version(text: str) -> str:
    found = _VERSION.fullmatch(text.replace("-", "."))
    return found[1] if found else ""


def _day_and_time(created: str | None) -> str:
    """Return a release that grows from one image of a version to the next."""
    try:
        return f"{datetime.fromisoformat(created or ''):%Y%m%d%H%M%S}"
    except ValueError:
        return "1"
