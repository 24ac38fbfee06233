"""Make what a deployment consists of, in a directory: rootfs, runtime configuration, unit, host files."""

import time
from dataclasses import dataclass
from pathlib import Path

from os_containers.deployment import runtime_config, template
from os_containers.deployment.exports import Exports, load_exports
from os_containers.deployment.host_tree import Content, write_host_tree
from os_containers.deployment.record import Record
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.deployment.variables import unit_templates
from os_containers.errors import ImageError
from os_containers.events import Warned
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.build_config import build_config
from os_containers.operations.build_tmpfiles import build_tmpfiles
from os_containers.operations.draft import Draft
from os_containers.operations.limits_named import limits_named
from os_containers.operations.root import Root, require_root
from os_containers.operations.system import System
from os_containers.operations.unused_settings import check_settings
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
    with limits_named(system):
        return _build_on(system, rootfs, blueprint, directory)


def _build_on(system: System, rootfs: Path, blueprint: Blueprint, directory: Path) -> Built:
    limits = system.config.deployment
    exports = load_exports(rootfs, limits=limits)
    draft = Draft(system, blueprint, rootfs, exports)
    _tell_unknown_keys(system, exports)
    check_settings(draft)
    # what is missing is told of all templates at once
    template.require_values(unit_templates(exports), draft.texts)
    config = build_config(draft)
    _write(directory / "config.json", runtime_config.dump_config(config))
    if draft.has_service:
        _write(directory / f"{blueprint.name}.service", draft.unit.encode(errors="surrogateescape"))
        _write(directory / f"tmpfiles-{blueprint.name}.conf", build_tmpfiles(draft, config))
    if system.mode is Mode.SYSTEM:
        content = Content.COPIED if blueprint.root else Content.LINKED
        write_host_tree(exports, rootfs, draft.texts, directory / "host", content=content, limits=limits)
    return Built(_record(draft), config)


def _make_rootfs(repo: Repo, source: StoredImage | Root, rootfs: Path) -> Path:
    """Make the rootfs of a deployment, and return where its files are."""
    if isinstance(source, Root):
        require_root(source.path, hint="mount it again or put it back")
        rootfs.symlink_to(source.path)
        return source.path
    if not source.parsed_manifest().layers:
        raise ImageError("the image has no layers", hint="there is nothing in it to run")
    checkout(repo, source.commit, rootfs)
    return rootfs


def _tell_unknown_keys(system: System, exports: Exports) -> None:
    """Warn about what the export manifest says and we do not understand."""
    for key in exports.unknown_keys:
        system.on_event(Warned(f"exports/manifest.json has the unknown key {key!a}"))


def _record(draft: Draft) -> Record:
    blueprint, image = draft.blueprint, draft.blueprint.image
    return Record(
        serial=blueprint.serial,
        image=image.name if image else "",
        digest=str(image.digest) if image else "",
        commit=image.commit if image else "",
        created=time.time(),
        runtime=str(blueprint.runtime.path),
        values=draft.values,
        has_service=draft.has_service,
        remote=str(blueprint.root or ""),
    )


def _write(path: Path, content: bytes) -> None:
    # not durable yet: what is being built is nothing before it is published
    path.write_bytes(content)
    path.chmod(0o600)
