"""Whether images are what was pulled, and whether their registries have other ones by now."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from os_containers.errors import BrokenError, NotFoundError, OsContainersError
from os_containers.faults import system_fault
from os_containers.image.access import ProxyOptions
from os_containers.image.manifest import Platform
from os_containers.image.name import is_local, store_name
from os_containers.image.proxy import open_image
from os_containers.image.reference import ImageReference, split_tag
from os_containers.operations.find_image import stored_images
from os_containers.operations.image_use import nameless_images
from os_containers.operations.limits_named import limits_named
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree import refs
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.ostree.verification import damaged_in_tree


class Latest(StrEnum):
    """What the registry says about the image of a name."""

    SAME = "latest"
    NEWER = "newer"
    GONE = "gone"
    LOCAL = "local"
    NOT_ASKED = "not asked"
    FAILED = "failed"


class Ask(Enum):
    """What is looked at."""

    ALL = "objects and registries"
    OBJECTS = "objects"
    REGISTRIES = "registries"


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """An image; damage says what is wrong with it here, problem why its registry could not be asked.

    One that has lost its name has an empty one. fault says what kept it from being looked at, exit_code of
    which class that is. remote is the digest in the registry; for None for digest the image is too damaged to
    tell.
    """

    name: str
    digest: str | None
    intact: bool | None
    damage: str | None
    latest: Latest
    remote: str | None = None
    problem: str | None = None
    fault: str | None = None
    exit_code: int = 0


def verify_images(
    system: System, images: Sequence[str], *, ask: Ask, options: ProxyOptions
) -> Iterator[VerifiedImage]:
    """Yield images, all of them when none is named, one after the other: no failure stops the rest.

    Those that have lost their name come last. Raises NotFoundError for what is no image in the store, before
    any is looked at.
    """
    repo = system.repo()
    nameless: list[StoredImage] = []
    # a ref that cannot be read is told of where its image is looked at
    with contextlib.suppress(BrokenError, OSError):
        nameless += nameless_images(repo)
    found: list[str | StoredImage] = [one for image in images for one in _asked(repo, image, nameless)]
    if not found:
        found = [*sorted(_all_names(repo)), *nameless]
    for one in dict.fromkeys(found):
        yield _verified_if_possible(system, repo, one, ask, options)


def _all_names(repo: Repo) -> Iterator[str]:
    for ref in repo.image_refs():
        # what is no name of an image, check tells of
        with contextlib.suppress(BrokenError):
            yield refs.image_name(ref)


def _asked(repo: Repo, image: str, nameless: Sequence[StoredImage]) -> list[str | StoredImage]:
    """Return the names of what is asked for; what has none as it is."""
    try:
        return [one.name or one for one in stored_images(repo, image, nameless=nameless)]
    except BrokenError:
        return [store_name(ImageReference.parse(image))]


def _verified_if_possible(
    system: System, repo: Repo, image: str | StoredImage, ask: Ask, options: ProxyOptions
) -> VerifiedImage:
    name = image if isinstance(image, str) else image.name
    try:
        if isinstance(image, str):
            return _verified(system, repo, image, ask, options)
        return _verified_nameless(system, repo, image, ask)
    except OsContainersError as error:
        fault = error
    except OSError as error:
        fault = system_fault(error)
    unknown = VerifiedImage(name, None, intact=None, damage=None, latest=Latest.NOT_ASKED)
    return replace(unknown, fault=fault.message, exit_code=fault.exit_code)


def _verified(system: System, repo: Repo, name: str, ask: Ask, options: ProxyOptions) -> VerifiedImage:
    verified = VerifiedImage(name, None, intact=None, damage=None, latest=Latest.NOT_ASKED)
    try:
        image = repo.image(name)
    except (BrokenError, NotFoundError) as error:
        return replace(verified, intact=False, damage=error.message)
    verified = replace(verified, digest=str(image.digest))
    if ask is not Ask.REGISTRIES:
        damage = _damage(system, repo, image)
        verified = replace(verified, intact=damage is None, damage=damage)
    return verified if ask is Ask.OBJECTS else _compared(system, image, verified, options)


def _verified_nameless(system: System, repo: Repo, image: StoredImage, ask: Ask) -> VerifiedImage:
    damage = None if ask is Ask.REGISTRIES else _damage(system, repo, image)
    intact = None if ask is Ask.REGISTRIES else damage is None
    return VerifiedImage("", str(image.digest), intact=intact, damage=damage, latest=Latest.NOT_ASKED)


def _damage(system: System, repo: Repo, image: StoredImage) -> str | None:
    with system.store_in_use():
        problem = repo.image_problem(refs.image_ref(image.name)) if image.name else None
        if problem:
            return problem
        try:
            damaged = damaged_in_tree(repo.path, repo.mode, repo.tree(image.commit))
        except BrokenError as error:
            return error.message
    if not damaged:
        return None
    more = f" and {len(damaged) - 1} more" if damaged[1:] else ""
    return f"damaged or missing: the object {damaged[0]}{more}"


def _compared(
    system: System, image: StoredImage, verified: VerifiedImage, options: ProxyOptions
) -> VerifiedImage:
    repository, tag = split_tag(image.name)
    if tag.startswith("@"):
        # a digest never means another image
        return replace(verified, latest=Latest.SAME)
    if is_local(repository):
        return replace(verified, latest=Latest.LOCAL)
    try:
        remote = remote_digest(system, image, options)
    except NotFoundError as error:
        return replace(verified, latest=Latest.GONE, problem=error.message)
    except OsContainersError as error:
        return replace(verified, latest=Latest.FAILED, problem=error.message)
    except OSError as error:
        fault = system_fault(error)
        return replace(verified, fault=fault.message, exit_code=fault.exit_code)
    latest = Latest.SAME if remote == image.digest else Latest.NEWER
    return replace(verified, latest=latest, remote=remote)


def remote_digest(system: System, image: StoredImage, options: ProxyOptions) -> str:
    """Return which image its registry has now under its name, of its platform. Raises as pull does."""
    config = image.image_config()
    # of the platform that is here, which need not be this host's
    asked = replace(options, platform=options.platform or Platform(config.os, config.architecture))
    reference = ImageReference.parse(image.name)
    with (
        limits_named(system),
        staging_directory(system, "verify") as scratch,
        open_image(reference, asked, system.config.limits, scratch=scratch) as remote,
    ):
        return str(remote.manifest()[0])
