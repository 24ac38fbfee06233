"""Who a container runs as: the image config's User, looked up in the image's own passwd and group."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment.beneath import NotPlainFileError, open_beneath
from os_containers.errors import ImageError

_SIZE_LIMIT = 1 << 20
_MAX_ID = 2**32 - 2
_NUMBER = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Account:
    """A numeric user, its group and its supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def find_account(rootfs: Path, user: str) -> Account:
    """Return the account for `user`, `uid`, `user:group` and so on (OCI image-spec, config, User).

    Raises ImageError for a name that the image's files do not know.
    """
    if not user:
        return Account(0, 0)
    who, colon, group = user.partition(":")
    row = next((row for row in _rows(rootfs, "etc/passwd", 4) if who in (row[0], row[2])), None)
    uid = _number(row[2] if row else who, "user", user)
    if colon:
        return Account(uid, _group(rootfs, group, user))
    if row is None:
        return Account(uid, 0)
    gid = _number(row[3], "group", user)
    return Account(uid, gid, (gid, *(other for other in _memberships(rootfs, row[0]) if other != gid)))


def _group(rootfs: Path, group: str, user: str) -> int:
    row = next((row for row in _rows(rootfs, "etc/group", 3) if group in (row[0], row[2])), None)
    return _number(row[2] if row else group, "group", user)


def _memberships(rootfs: Path, name: str) -> Iterator[int]:
    for row in _rows(rootfs, "etc/group", 4):
        if name in row[3].split(",") and _is_id(row[2]):
            yield int(row[2])


def _is_id(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and int(text) <= _MAX_ID


def _number(text: str, kind: str, user: str) -> int:
    if _is_id(text):
        return int(text)
    raise ImageError(
        f"the user {user[:100]!r} is unknown: the image has no {kind} {text[:100]!r}",
        hint="the image must list it in /etc/passwd or /etc/group, or use a number",
    )


def _rows(rootfs: Path, relative: str, width: int) -> Iterator[list[str]]:
    try:
        descriptor = open_beneath(rootfs, relative)
    except (FileNotFoundError, NotPlainFileError):
        # a symlink or a pipe here could show us the host's file instead (CVE-2024-9676): the image has none
        return
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(_SIZE_LIMIT).decode(errors="replace")
    for line in text.splitlines():
        row = line.split(":")
        if len(row) >= width:
            yield row
