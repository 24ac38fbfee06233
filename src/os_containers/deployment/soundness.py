"""What of a deployment cannot be used, as check tells it and repair makes it anew."""

from collections.abc import Iterator
from pathlib import Path

from os_containers.deployment import runtime_config
from os_containers.deployment.deployment import Deployment
from os_containers.errors import OsContainersError
from os_containers.faults import is_exhaustion


def unusable_parts(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield each part that is missing or unusable, and what is wrong with it."""
    # atomic removed it where there is no service
    if not _has_rootfs(deployment) and (deployment.record.has_service or not deployment.is_predecessors):
        yield deployment.rootfs, "the deployment has no rootfs"
    if deployment.record.installed and deployment.record.is_adopted and not deployment.host_files.is_dir():
        yield deployment.host_files, "the deployment lacks its copies of the files that it put on the host"
    if lacks_unit(deployment):
        yield deployment.unit, "the deployment has no unit"
    if problem := _config_problem(deployment):
        yield deployment.config, f"the runtime configuration cannot be used: {problem}"


def _has_rootfs(deployment: Deployment) -> bool:
    # what it leads to is somebody else's
    return deployment.rootfs.is_symlink() if deployment.record.remote else deployment.rootfs.is_dir()


def lacks_unit(deployment: Deployment) -> bool:
    """Tell whether a deployment should have a unit and has none."""
    return deployment.record.has_service and not deployment.unit.is_file()


def _config_problem(deployment: Deployment) -> str | None:
    try:
        raw = deployment.config.read_bytes()
        runtime_config.parse_config(raw, source="config.json", root=deployment.root)
    except (OSError, OsContainersError) as error:
        if is_exhaustion(error):
            raise
        return error.message if isinstance(error, OsContainersError) else error.strerror
    return None
