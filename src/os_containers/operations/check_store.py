"""Check the store: the repo as a whole, its images, its pins and its objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from os_containers.deployment.container import Container
from os_containers.errors import BrokenError, BusyError
from os_containers.image.name import is_local
from os_containers.operations.problem import MOVE_AWAY, PULL_FIRST, REPAIR, Problem
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.creation import without_repo
from os_containers.ostree.repo import Repo
from os_containers.ostree.shared import our_damaged_objects


class Depth(Enum):
    """How closely the store is looked at."""

    NAMES = "every object that is needed is there"
    CONTENT = "and every object is what its checksum says"


@dataclass(frozen=True, slots=True)
class Store:
    """The repo, None where there is none yet or none to be opened; and what is wrong with it as a whole."""

    repo: Repo | None = None
    problems: tuple[Problem, ...] = ()


def open_store(system: System) -> Store:
    """Return the store as far as it can be opened; none is made."""
    path = system.paths.repo
    # opening it would make one
    if not (path / "config").exists():
        lost = any(path.glob("objects/*/*"))
        no_config = Problem("I9", "the repo has no config", str(path), without_repo(path))
        return Store(problems=(no_config,) if lost else ())
    try:
        return Store(system.repo())
    except BrokenError as error:
        return Store(problems=(Problem("I9", error.message, str(path), error.hint or without_repo(path)),))


def check_store(system: System, repo: Repo, depth: Depth) -> Iterator[Problem]:
    """Yield what is wrong with a repo that nobody prunes meanwhile."""
    with system.store_in_use():
        for ref in repo.image_refs():
            problem = repo.image_problem(ref)
            if problem:
                name = _name(ref)
                hint = PULL_FIRST if is_local(name) else REPAIR
                yield Problem("I9", f"the image {name} is damaged: {problem}", ref, hint)
        yield from _check_orphaned_pins(system, repo)
        if depth is Depth.CONTENT:
            for name in our_damaged_objects(repo):
                yield Problem("I10", "the content of an object does not match its checksum", name, REPAIR)


def _check_orphaned_pins(system: System, repo: Repo) -> Iterator[Problem]:
    for name, serial in repo.pins.names():
        if _is_orphaned(system, system.named(name), serial):
            ref = repo.pins.ref(name, serial)
            yield Problem("I11", "a commit is pinned for a deployment that does not exist", ref, REPAIR)
    for ref in repo.pins.strays():
        yield Problem("I11", "this is among the pins, but is not one", ref, MOVE_AWAY)


def _is_orphaned(system: System, container: Container, serial: int) -> bool:
    path = container.deployment_path(serial)
    if path.is_dir():
        return False
    try:
        # a change pins first: its deployment has its name when it is over
        with system.at_once().locked(container):
            return not path.is_dir()
    except BusyError:
        return False


def _name(ref: str) -> str:
    try:
        return refs.image_name(ref)
    except BrokenError:
        return ref
