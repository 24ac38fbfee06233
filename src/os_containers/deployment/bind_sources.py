"""The directories that a container mounts and that we may make on the host, without a tmpfiles.template.

A source that is missing has no type: it is taken for a directory when the image has one where it is mounted.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from os_containers.deployment.runtime_config import RuntimeConfig, bind_mounts

_MODE, _MODE_ABOVE = 0o700, 0o755
_PLACES = ("RUN_DIRECTORY", "STATE_DIRECTORY", "CONF_DIRECTORY")
_NAME_OF_FILE = re.compile(r"sock|.\.(?!d$)")

DirectoryLine = tuple[str, int, int, int]


def wanted_directories(
    config: RuntimeConfig,
    rootfs: Path,
    values: Mapping[str, str],
    *,
    made: Collection[str],
    host_files: Collection[str],
    kept_out: Collection[Path],
) -> Iterator[DirectoryLine]:
    """Yield path, mode, uid and gid of those that are missing, each behind what is missing above it.

    So do those that were made for a container before. The image's own host files are not there yet; at and
    below what is kept out none is made.
    """
    places = {values[name]: name for name in _PLACES if Path(values[name]).parent != Path(values[name])}
    ways: dict[Path, list[Path]] = {}
    for mount in bind_mounts(config):
        source = Path(mount["source"])
        way = _way(mount["source"], places)
        if not way or mount["source"] in host_files or any(source.is_relative_to(one) for one in kept_out):
            continue
        # a host may lack a file that is wanted from /etc, as localtime: there a name says too little
        can_tell_by_name = places[str(way[0].parent)] != "CONF_DIRECTORY"
        if _is_directory(rootfs, mount["destination"], source.name if can_tell_by_name else None):
            ways[source] = way
    for path in dict.fromkeys(path for way in ways.values() for path in way if str(path) not in host_files):
        if str(path) in made or not os.path.lexists(path):
            yield (str(path), _MODE, *_owner(config)) if path in ways else (str(path), _MODE_ABOVE, *_ours())


def _way(source: str, places: Collection[str]) -> list[Path]:
    """Return the source behind what is above it, below the innermost of the places; nothing for any other."""
    if os.path.normpath(source) != source.rstrip("/") or not source.isprintable():
        return []
    way: list[Path] = []
    for path in (Path(source), *Path(source).parents):
        if str(path) in places:
            return way
        way.insert(0, path)
    return []


def _is_directory(rootfs: Path, destination: str, name: str | None) -> bool:
    """Tell whether a directory is wanted; by its name, if that may tell, where the image has nothing."""
    mount_point = rootfs
    for part in PurePosixPath(os.path.normpath(f"/{destination}")).parts[1:]:
        mount_point /= part
        if mount_point.is_symlink() or not os.path.lexists(mount_point):
            return name is not None and not _NAME_OF_FILE.search(name)
    return mount_point.is_dir()


def _owner(config: RuntimeConfig) -> tuple[int, int]:
    """Return who the container's process is on the host."""
    if os.geteuid() != 0 or config["linux"].get("uidMappings"):
        return _ours()
    user = config["process"].get("user", {})
    return user.get("uid", 0), user.get("gid", 0)


def _ours() -> tuple[int, int]:
    return os.geteuid(), os.getegid()
