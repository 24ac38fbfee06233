"""The record of a deployment: its `info` file, which keeps the predecessors' keys and adds ours.

Parsing and dumping are pure. Keys that we do not know are kept: the Go tool, atomic or a newer version of
ours may have written them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from os_containers.deployment import predecessor
from os_containers.deployment.exports import FileKind
from os_containers.deployment.values import Origin, Value, Values
from os_containers.errors import BrokenError, ImageError

SCHEMA = 1
SIZE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file that we put on the host; checksum is the SHA-256 of a file's bytes or of a symlink's target.

    Two are the same file when their content is: an admin may change mode and owner of ours, which is root's.
    """

    path: str
    kind: FileKind
    checksum: str = ""
    mode: int = field(default=0, compare=False)
    uid: int = field(default=0, compare=False)
    gid: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Approved:
    """What of a deployment's host files the admin had to allow: paths, and programs that are setuid."""

    paths: tuple[str, ...] = ()
    setuid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An image to which a deployment gave way in vain: its service did not stay up, or somebody came back.

    With which runtime, when, in seconds since 1970, and why.
    """

    digest: str
    runtime: str
    time: float
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """What a deployment is made of, and what it put on the host; created in seconds since 1970.

    directories are those that its tmpfiles.d fragment made. Only one that was active is ever rolled back
    to; activation grows from one to the next that became active, and is 0 where the serials say as much.
    One that is not adopted is as a predecessor wrote it. enabled is whether its service was to start at
    boot when it became active, for one that systemd cannot enable. given_up is the last that left it
    active. remote is the root file system of one
    that has none of its own; without an image, image, digest and commit are empty then.
    """

    serial: int
    image: str
    digest: str
    commit: str
    created: float
    runtime: str
    values: Values
    installed: tuple[InstalledFile, ...] = ()
    directories: tuple[str, ...] = ()
    approved: Approved = Approved()
    was_active: bool = False
    activation: int = 0
    enabled: bool = True
    given_up: GivenUp | None = None
    has_service: bool = True
    remote: str = ""
    is_adopted: bool = field(default=True, compare=False)
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def activated(self, installed: tuple[InstalledFile, ...], directories: tuple[str, ...]) -> "Record":
        """Return the record as it is once the deployment is on the host."""
        return replace(self, installed=installed, directories=directories, was_active=True)


class _Info(msgspec.Struct, rename="kebab", omit_defaults=False):
    """The file as it stands on disk; the predecessors left out some keys, and knew none of ours."""

    image: str
    revision: str
    created: float = 0
    runtime: str = ""
    ostree_commit: str = ""
    has_container_service: bool = True
    remote: str | None = None
    values: dict[str, str] | None = None
    installed_files: list[str] | None = None
    installed_files_checksum: dict[str, str] | None = None
    installed_files_template: list[str] | None = None
    rename_installed_files: dict[str, str] | None = None
    schema: int = 0
    serial: int = 0
    complete: bool = True
    value_origins: dict[str, Origin] | None = None
    installed_kinds: dict[str, FileKind] | None = None
    installed_modes: dict[str, int] | None = None
    directories: list[str] | None = None
    approved_host_paths: list[str] | None = None
    approved_setuid: list[str] | None = None
    was_active: bool = True
    activation: int = 0
    enabled: bool = True
    given_up: GivenUp | None = None


class NewerRecordError(BrokenError):
    """A newer version of this program wrote the record: nothing is wrong with it."""


_OURS = frozenset(key.encode_name for key in msgspec.structs.fields(_Info))


def parse_record(raw: bytes) -> Record:
    """Return the record in an info file. Raises BrokenError when it is not one."""
    if len(raw) > SIZE_LIMIT:
        raise BrokenError(f"info is larger than {SIZE_LIMIT} bytes")
    try:
        tree = msgspec.json.decode(raw, type=dict[str, Any])
        info = msgspec.convert(tree if "schema" in tree else predecessor.normalized(tree), _Info)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenError(f"info is not a deployment's record: {error}") from error
    if info.schema > SCHEMA:
        raise NewerRecordError(
            f"info has schema {info.schema}, this program knows {SCHEMA}", hint="update os-containers"
        )
    if not info.complete:
        raise BrokenError("info says that the deployment is not complete")
    return Record(
        serial=info.serial,
        image=info.image,
        digest=f"sha256:{info.revision}" if info.revision and ":" not in info.revision else info.revision,
        commit=info.ostree_commit,
        created=info.created,
        runtime=info.runtime,
        values=_values(info),
        installed=_installed(info),
        directories=tuple(info.directories or ()),
        approved=Approved(tuple(info.approved_host_paths or ()), tuple(info.approved_setuid or ())),
        was_active=info.was_active,
        activation=info.activation,
        enabled=info.enabled,
        given_up=info.given_up,
        has_service=info.has_container_service,
        remote=info.remote or "",
        is_adopted=info.schema > 0,
        unknown={key: value for key, value in tree.items() if key not in _OURS},
    )


def dump_record(record: Record) -> bytes:
    """Return the info file of a record. Raises ImageError for one that nobody would read again."""
    info = _Info(
        image=record.image,
        revision=record.digest,
        created=record.created,
        runtime=record.runtime,
        ostree_commit=record.commit,
        has_container_service=record.has_service,
        remote=record.remote or None,
        values={name: value.text for name, value in record.values.items()},
        installed_files=[file.path for file in record.installed if file.kind is not FileKind.DIRECTORY],
        installed_files_checksum={file.path: file.checksum for file in record.installed if file.checksum},
        installed_files_template=[],
        rename_installed_files={},
        schema=SCHEMA,
        serial=record.serial,
        value_origins={name: value.origin for name, value in record.values.items()},
        installed_kinds={file.path: file.kind for file in record.installed},
        installed_modes={file.path: file.mode for file in record.installed},
        directories=list(record.directories),
        approved_host_paths=list(record.approved.paths),
        approved_setuid=list(record.approved.setuid),
        was_active=record.was_active,
        activation=record.activation,
        enabled=record.enabled,
        given_up=record.given_up,
    )
    tree = {**record.unknown, **msgspec.to_builtins(info)}
    raw = msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"
    if len(raw) > SIZE_LIMIT:
        raise ImageError(
            f"the record of the deployment has {len(raw)} bytes, more than {SIZE_LIMIT}",
            hint="the image needs fewer host files, shorter paths, or shorter values",
        )
    return raw


def _values(info: _Info) -> dict[str, Value]:
    # the predecessors saved no origins, and all their values alike
    origins = info.value_origins or {}
    return {
        name: Value(text, origins.get(name, Origin.DEFAULT)) for name, text in (info.values or {}).items()
    }


def _installed(info: _Info) -> tuple[InstalledFile, ...]:
    kinds = info.installed_kinds or dict.fromkeys(info.installed_files or (), FileKind.FILE)
    checksums, modes = info.installed_files_checksum or {}, info.installed_modes or {}
    return tuple(
        InstalledFile(path, kind, checksums.get(path, ""), modes.get(path, 0)) for path, kind in kinds.items()
    )
