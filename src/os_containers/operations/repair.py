"""Repair: mend what check finds, as far as the registry and the records allow.

Running containers go on: an object that was damaged is fetched again beside the damaged one, and comes into a
rootfs by one rename a file.
"""

from collections.abc import Collection
from pathlib import Path

from os_containers.deployment.container import all_containers
from os_containers.errors import BrokenError
from os_containers.image.access import ProxyOptions
from os_containers.operations.check import check
from os_containers.operations.check_store import Depth
from os_containers.operations.leftovers import known_names
from os_containers.operations.problem import Problem
from os_containers.operations.prune import remove_orphans
from os_containers.operations.recover import recover_all
from os_containers.operations.repair_container import mend_container, mend_link, pull_again, told
from os_containers.operations.service import Start
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.objects import make_way, object_path
from os_containers.ostree.repo import Repo
from os_containers.ostree.shared import objects_of_others, our_damaged_objects


def repair(system: System, options: ProxyOptions) -> list[Problem]:
    """Mend what can be mended, telling each step, and return the problems that are left."""
    for name in known_names(system):
        with told(system):
            mend_link(system, system.named(name))
    with told(system):
        recover_all(system, Start.WATCHED)
    repo = system.repo()
    _remove_damaged_objects(system, repo)
    for ref in repo.image_refs():
        with told(system):
            if repo.image_problem(ref):
                pull_again(system, refs.image_name(ref), options)
    for container in all_containers(system.paths):
        with told(system), system.locked(container):
            mend_container(system, repo, container, options)
    with system.store_locked():
        remove_orphans(system, repo)
    return check(system, Depth.CONTENT)


def _remove_damaged_objects(system: System, repo: Repo) -> None:
    """Remove what is not what its name says, so that it counts as missing and is fetched again.

    What others need stays: who put it into the repo may not fetch it again.
    """
    with system.store_locked():
        damaged = list(our_damaged_objects(repo))
        with told(system):
            others = objects_of_others(repo) if damaged else set()
            for name in damaged:
                with told(system):
                    _remove_object(system, repo, name, others)


def _remove_object(system: System, repo: Repo, name: str, others: Collection[str]) -> None:
    if name in others:
        raise BrokenError(
            f"the object {name} is damaged, and stays: others need it, too",
            hint=f"ostree fsck --delete --repo={repo.path}, when who else uses the repo can fetch it again",
        )
    path = Path(object_path(repo.path, name))
    make_way(path, "object")
    path.unlink(missing_ok=True)
    system.tell(f"removed the damaged object {name}")
