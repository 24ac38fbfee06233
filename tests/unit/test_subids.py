"""The subordinate ids of a user."""

from pathlib import Path

from os_containers.subids import IdRange, UserIds, entered, find_subids


def test_find_subids_takes_the_largest_range_by_name_or_number(tmp_path: Path) -> None:
    """Lines of others and broken lines do not matter."""
    table = tmp_path / "subuid"
    table.write_text("root:1:2\n0:100:65536\nother:5:9999999\nnonsense\nroot:x:y\n")
    assert find_subids(table, 0) == IdRange(100, 65536)
    assert find_subids(tmp_path / "missing", 0) is None


def test_who_enters_has_what_the_containers_of_the_user_have() -> None:
    """The user is root, and the subordinate ids come after, as in make_rootless."""
    ids = UserIds(1000, 1000, IdRange(100_000, 65536), IdRange(200_000, 10))
    *_, users, groups, end = entered(ids)
    assert (users, groups, end) == ("--map-users=100000,1,65536", "--map-groups=200000,1,10", "--")
    assert entered(UserIds(1000, 1000, None, None)) == ["unshare", "--user", "--map-root-user", "--"]
