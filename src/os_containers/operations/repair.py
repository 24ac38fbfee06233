"""Repair: fix what check finds, as far as the registry and the records allow.

Running containers go on: an object that was damaged is fetched again beside the damaged one, and comes into a
rootfs by one rename a file.
"""

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from os_containers.deployment.container import all_containers
from os_containers.errors import BrokenError
from os_containers.events import Warned
from os_containers.image.access import ProxyOptions
from os_containers.image.name import is_local
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
from os_containers.ostree.reachability import known
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
    with repo.scratch() as scratch:
        aside = _set_damaged_aside(system, repo, scratch.path)
        _fetch_again(system, repo, options)
        _put_back(system, repo, aside)
    with system.store_locked():
        remove_orphans(system, repo)
    return check(system, Depth.CONTENT)


def _fetch_again(system: System, repo: Repo, options: ProxyOptions) -> None:
    for ref in repo.image_refs():
        with told(system):
            if repo.image_problem(ref):
                pull_again(system, refs.image_name(ref), options)
    for container in all_containers(system.paths):
        with told(system), system.locked(container):
            mend_container(system, repo, container, options)


def _set_damaged_aside(system: System, repo: Repo, aside: Path) -> Mapping[str, Path]:
    """Move what is not what its name says out of the way, so that it counts as missing and is fetched again.

    What others need stays: who put it into the repo may not fetch it again.
    """
    moved: dict[str, Path] = {}
    with system.store_locked():
        damaged = list(our_damaged_objects(repo))
        with told(system):
            others = objects_of_others(repo) if damaged else set()
            for name in damaged:
                with told(system):
                    _require_ours(repo, name, others)
                    path = Path(object_path(repo.path, name))
                    # what is in a directory may be somebody's
                    make_way(path, "object")
                    if os.path.lexists(path):
                        moved[name] = path.rename(aside / name)
    return moved


def _require_ours(repo: Repo, name: str, others: Collection[str]) -> None:
    if name in others:
        raise BrokenError(
            f"the damaged object {name} stays: others need it, too",
            hint=f"ostree fsck --delete --repo={repo.path}, if its other users can fetch it again",
        )


def _put_back(system: System, repo: Repo, aside: Mapping[str, Path]) -> None:
    """Have what a registry did not give as it was, since it may be of use still; what nothing needs goes.

    So does what no registry has: only what is missing is taken from a layout or an archive.
    """
    with system.store_locked():
        # first what tells which files are needed
        for name in sorted(aside, key=lambda one: one.endswith(".file")):
            place = Path(object_path(repo.path, name))
            if os.path.lexists(place):
                system.tell(f"replaced the damaged object {name}")
            elif name in known(repo.path, repo.refs.commits_but(()) - _local_commits(system, repo)):
                aside[name].rename(place)
                system.on_event(Warned(f"the damaged object {name} stays: it could not be fetched again"))
            else:
                system.tell(f"removed the damaged object {name}")


def _local_commits(system: System, repo: Repo) -> set[str]:
    """Return the commits of images that no registry has, and of their layers."""
    merged = {image.commit for image in repo.images() if is_local(image.name)}
    deployments = (one for container in all_containers(system.paths) for one in container.readable())
    merged |= {one.record.commit for one in deployments if is_local(one.record.image)}
    found = set(merged)
    for commit in merged:
        # a damaged one tells of no layers
        with contextlib.suppress(BrokenError):
            found.update(repo.image_commits(repo.stored_commit("", commit)))
    return found
