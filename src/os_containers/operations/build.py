"""Make what a deployment consists of, in a directory: rootfs, runtime configuration, unit, host files."""

from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment import runtime_config
from os_containers.deployment.exports import load_exports
from os_containers.deployment.host_tree import Content, write_host_tree
from os_containers.deployment.record import Record
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.errors import ImageError
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.draft import Draft
from os_containers.operations.root import Root, require_root
from os_containers.operations.system import System
from os_containers.ostree.checkout import checkout
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode


@dataclass(frozen=True, slots=True)
class Built:
    """A deployment in the directory where it was built."""

    record: Record
    config: RuntimeConfig


def build(system: System, repo: Repo, blueprint: Blueprint, directory: Path) -> Built:
    """Return what was made in the directory. Raises ImageError when the image does not make a deployment."""
    rootfs = _make_rootfs(repo, blueprint.source, directory / "rootfs")
    limits = system.config.deployment
    draft = Draft(system, blueprint, rootfs, load_exports(rootfs, limits=limits))
    draft.tell_unknown_keys()
    draft.check_settings()
    draft.check_values()
    config = draft.runtime_config()
    _write(directory / "config.json", runtime_config.dump_config(config))
    if draft.has_service:
        _write(directory / f"{blueprint.name}.service", draft.unit.encode(errors="surrogateescape"))
        _write(directory / f"tmpfiles-{blueprint.name}.conf", draft.tmpfiles(config))
    if system.mode is Mode.SYSTEM:
        content = Content.COPIED if blueprint.root else Content.LINKED
        write_host_tree(
            draft.exports, rootfs, draft.texts, directory / "host", content=content, limits=limits
        )
    else:
        draft.tell_skipped_files()
    return Built(draft.record(), config)


def _make_rootfs(repo: Repo, source: StoredImage | Root, rootfs: Path) -> Path:
    """Make the rootfs of a deployment, and return where its files are."""
    if isinstance(source, Root):
        require_root(source.path, hint="mount it again or put it back")
        rootfs.symlink_to(source.path)
        return source.path
    if not source.parsed_manifest().layers:
        raise ImageError("the image has no layers", hint="there is nothing in it that could run")
    checkout(repo, source.commit, rootfs)
    return rootfs


def _write(path: Path, content: bytes) -> None:
    # not durable yet: what is being built is nothing before it is published
    path.write_bytes(content)
    path.chmod(0o600)
