"""The subordinate ids of a user: those of the users of his containers on the host."""

import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IdRange:
    """A range of subordinate ids, as a line of /etc/subuid gives it."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class UserIds:
    """Whom a container's root is on the host, and whom its other users are."""

    uid: int
    gid: int
    subuids: IdRange | None
    subgids: IdRange | None


def find_user_ids(uid: int, gid: int) -> UserIds:
    """Return the ids of a user, with the subordinate ones that the host gives."""
    return UserIds(
        uid,
        gid,
        find_subids(Path("/etc/subuid"), uid),
        find_subids(Path("/etc/subgid"), uid),
    )


def find_subids(table: Path, uid: int) -> IdRange | None:
    """Return the largest range that subuid(5) or subgid(5) gives a user, None when it has none."""
    try:
        owners = {str(uid), pwd.getpwuid(uid).pw_name}
        lines = table.read_text().splitlines()
    except (FileNotFoundError, PermissionError, KeyError):
        return None
    rows = [line.split(":") for line in lines if line.count(":") == 2]  # noqa: PLR2004 - owner:start:count
    ranges = [
        IdRange(int(start), int(count))
        for owner, start, count in rows
        if owner in owners and start.isdecimal() and count.isdecimal()
    ]
    return max(ranges, key=lambda one: one.count, default=None)


def entered(ids: UserIds) -> list[str]:
    """Return what to put before a command line so that it has all that is of these ids, as root has."""
    command = ["unshare", "--user", "--map-root-user"]
    # "outer,inner,count": util-linux knew no other form before 2.39, and knows it still
    if ids.subuids:
        command.append(f"--map-users={ids.subuids.start},1,{ids.subuids.count}")
    if ids.subgids:
        command.append(f"--map-groups={ids.subgids.start},1,{ids.subgids.count}")
    return [*command, "--"]
