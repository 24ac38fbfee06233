"""A repo that others use, too: which damage is ours to tell of, and what of it others need."""

from collections.abc import Iterator

from os_containers.errors import BrokenError
from os_containers.ostree import refs
from os_containers.ostree.reachability import known, reachable_for_others
from os_containers.ostree.repo import Repo
from os_containers.ostree.verification import damaged_objects


def our_damaged_objects(repo: Repo) -> Iterator[str]:
    """Yield the objects that are not what their names say, as CHECKSUM.KIND.

    Where others may keep something, too, only those that we need: of theirs we do not know what is right,
    as the labels of the host's own files count in their names.
    """
    ours, others = repo.refs.commits_by_owner(refs.OURS)
    among = known(repo.path, ours) if others or repo.is_shared else None
    yield from damaged_objects(repo.path, repo.mode, among)


def objects_of_others(repo: Repo) -> set[str]:
    """Return the objects that others need; raises BrokenError when that cannot be told."""
    _, others = repo.refs.commits_by_owner(refs.OURS)
    try:
        return reachable_for_others(repo.path, others)
    except BrokenError as error:
        raise BrokenError(
            f"cannot find out what others need in {repo.path}: {error.message}",
            hint=f"ostree fsck --repo={repo.path} shows what is damaged there",
        ) from error
