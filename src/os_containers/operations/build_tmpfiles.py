"""Make the tmpfiles.d fragment of a deployment: the image's own, or one for what its config mounts."""

import os
from collections.abc import Iterator

from os_containers.deployment import structure
from os_containers.deployment.accounts import Account
from os_containers.deployment.bind_sources import DirectoryLine, wanted_directories
from os_containers.deployment.container import all_containers
from os_containers.deployment.default_config import volume_directory
from os_containers.deployment.exports import FileKind
from os_containers.deployment.host_tree import destinations
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.host import unit
from os_containers.operations.draft import Draft
from os_containers.paths import Mode


def build_tmpfiles(draft: Draft, config: RuntimeConfig) -> bytes:
    """Return the fragment, empty when there is nothing to make."""
    exports = draft.exports
    if exports.tmpfiles_template is not None:
        return draft.render(exports.tmpfiles_template, "tmpfiles.template", structure.tmpfiles_places)
    if exports.config is not None or exports.config_template is not None:
        return unit.render_missing(_bind_sources(draft, config)).encode()
    return unit.render_tmpfiles(_volume_directories(draft)).encode()


def _bind_sources(draft: Draft, config: RuntimeConfig) -> Iterator[DirectoryLine]:
    paths = draft.system.paths
    deployments = (one for container in all_containers(paths) for one in container.readable())
    places = destinations(draft.exports, draft.texts, draft.system.config.deployment)
    # a user's container brings none, so its directories are to be made
    is_root = draft.system.mode is Mode.SYSTEM
    host_files = [path for path, one in places.items() if is_root or one.kind is not FileKind.DIRECTORY]
    return wanted_directories(
        config,
        draft.rootfs,
        draft.texts,
        made={path for one in deployments for path in one.record.directories},
        host_files=host_files,
        kept_out=(draft.blueprint.path, paths.state, paths.repo),
    )


def _volume_directories(draft: Draft) -> Iterator[DirectoryLine]:
    name, mode, state = draft.blueprint.name, draft.system.mode, draft.state_directory
    owner = _volume_owner(mode, draft.account)
    if draft.wanted.volumes:
        # a user's volumes may be open to all: they are behind this
        yield str(state / name), 0o711 if mode is Mode.SYSTEM else 0o700, os.geteuid(), os.getegid()
    for volume in draft.wanted.volumes:
        yield str(volume_directory(state, name, volume)), *owner


def _volume_owner(mode: Mode, account: Account) -> tuple[int, int, int]:
    if mode is Mode.SYSTEM:
        return 0o755, account.uid, account.gid
    # a user cannot give a directory to one of its subordinate ids
    return (0o755 if account.uid == 0 else 0o777), os.geteuid(), os.getegid()
