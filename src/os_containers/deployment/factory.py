"""What the distribution brings: containers in /usr, which its packages or its image put there.

/usr/lib/containers/atomic/NAME/    rootfs/  config.json  NAME.service  info
/usr/lib/systemd/system/NAME.service

Such a container needs nothing of ours to run. Its deployment is read where it is, and never written: it is
active while no deployment of ours is, which takes its place by a unit in /etc, and gives it back.
"""

from pathlib import Path

# Before all others, and no directory of ours has it for its name.
SERIAL = -1
UNITS = Path("/usr/lib/systemd/system")
# what to do with one that is damaged
REINSTALL = "reinstall the package that ships it"
_OWN = frozenset({".deploy", ".staging"})


def find_place(factories: Path | None, container: str) -> Path | None:
    """Return the directory of a container of the distribution, None when there is none of this name."""
    place = factories / container if factories else None
    return place if place and (place / "info").is_file() else None


def is_factory(container: str, path: Path) -> bool:
    """Tell whether a deployment is the distribution's, by where it is."""
    return path.name == container and path.parent.parent.name not in _OWN


def find_names(factories: Path | None) -> list[str]:
    """Return the names of the distribution's containers, sorted."""
    if not factories or not factories.is_dir():
        return []
    return sorted(one.name for one in factories.iterdir() if find_place(factories, one.name))
