"""Build a deployment, whole, where nobody sees it: checkout, values, bundle, unit, host files, record.

It is built in .staging and renamed to .deploy/NAME/SERIAL when it is complete and on disk. It becomes active
only by a transition.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from os_containers import files
from os_containers.deployment import runtime_config, template, values
from os_containers.deployment.accounts import Account, find_account
from os_containers.deployment.container import Container, Deployment, save_record
from os_containers.deployment.default_config import default_config, volume_directory
from os_containers.deployment.exports import Exports, load_exports
from os_containers.deployment.host_tree import write_host_tree
from os_containers.deployment.record import Record
from os_containers.deployment.rootless import make_rootless
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.deployment.values import Values
from os_containers.events import Warned
from os_containers.host import unit
from os_containers.host.runtime import Runtime
from os_containers.image.manifest import ContainerConfig
from os_containers.operations.system import System
from os_containers.ostree.checkout import checkout
from os_containers.ostree.repo import Repo, StoredImage
from os_containers.paths import Mode

DEFAULT_STOP_SIGNAL = "SIGTERM"
CONTAINER_CGROUP = "container"


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a deployment is to be made of."""

    container: Container
    serial: int
    image: StoredImage
    runtime: Runtime
    settings: Mapping[str, str]
    previous: Values = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Return where the deployment will be."""
        return self.container.deployment_path(self.serial)


def stage(system: System, repo: Repo, blueprint: Blueprint) -> Deployment:
    """Return a new, complete deployment that is not active yet, with its commit pinned in the repo.

    Raises ImageError when the image cannot be made into one; then nothing is left of it.
    """
    with _staging_directory(system) as directory:
        record = build(system, repo, blueprint, directory)
        save_record(directory, record)
        repo.pin(blueprint.container.name, blueprint.serial, blueprint.image.commit)
        _publish(directory, blueprint.path)
    return Deployment(blueprint.container.name, blueprint.path, record)


def build(system: System, repo: Repo, blueprint: Blueprint, directory: Path) -> Record:
    """Make everything that a deployment consists of in a directory; return its record."""
    rootfs = directory / "rootfs"
    checkout(repo, blueprint.image.commit, rootfs)
    exports = load_exports(rootfs)
    wanted = blueprint.image.image_config().container
    decided = _values(system, blueprint, exports, wanted)
    config = runtime_configuration(system, blueprint, rootfs, exports, decided)
    _write(directory / "config.json", runtime_config.dump_config(config))
    has_service = not exports.manifest.no_container_service
    if has_service:
        _write(directory / blueprint.container.service, _unit(system, exports, wanted, decided))
        _write(
            directory / f"tmpfiles-{blueprint.container.name}.conf",
            _tmpfiles(system, blueprint, rootfs, exports, decided),
        )
    if system.mode is Mode.SYSTEM:
        write_host_tree(exports, rootfs, values.texts(decided), directory / "host")
    elif exports.host_files:
        _tell_skipped(system, exports)
    return Record(
        serial=blueprint.serial,
        image=blueprint.image.name,
        digest=blueprint.image.digest,
        commit=blueprint.image.commit,
        created=time.time(),
        runtime=str(blueprint.runtime.path),
        values=decided,
        has_service=has_service,
    )


def runtime_configuration(
    system: System, blueprint: Blueprint, rootfs: Path, exports: Exports, decided: Values
) -> RuntimeConfig:
    """Return config.json: the image's own, rendered, or the default one; confined to what is ours."""
    if exports.config is not None:
        config = runtime_config.parse_config(exports.config, source="exports/config.json")
    elif exports.config_template is not None:
        source = "exports/config.json.template"
        rendered = template.render(exports.config_template, values.texts(decided), source=source)
        config = runtime_config.parse_config(rendered, source=source)
    else:
        wanted = blueprint.image.image_config().container
        config = default_config(
            wanted,
            name=blueprint.container.name,
            account=find_account(rootfs, wanted.user),
            state_directory=Path(decided["STATE_DIRECTORY"].text),
        )
    for warning in runtime_config.upgrade(config):
        system.on_event(Warned(warning))
    runtime_config.confine(config, cgroups_path=_cgroups_path(system, blueprint.container))
    ids = system.user_ids()
    if ids:
        make_rootless(config, ids)
    return config


def _values(
    system: System, blueprint: Blueprint, exports: Exports, wanted: ContainerConfig
) -> dict[str, values.Value]:
    container = blueprint.container
    decided = values.decide(
        mode=system.mode,
        settings=blueprint.settings,
        defaults=exports.manifest.defaults(),
        generated=values.generate(
            system.paths, name=container.name, runtime=blueprint.runtime.path, previous=blueprint.previous
        ),
        forced={
            "DESTDIR": str(blueprint.path),
            "HOST_GID": str(os.getegid()),
            "HOST_UID": str(os.geteuid()),
            "IMAGE_ID": blueprint.image.digest.removeprefix("sha256:"),
            "IMAGE_NAME": blueprint.image.name,
            "NAME": container.name,
        },
    )
    commands = blueprint.runtime.service_commands(
        container.name,
        blueprint.path,
        pid_file=Path(decided["PIDFILE"].text) if _uses_pid_file(exports) else None,
        stop_signal=wanted.stop_signal or DEFAULT_STOP_SIGNAL,
    )
    lines = unit.exec_variables(commands).items()
    return decided | {name: values.Value(text, values.Origin.FORCED) for name, text in lines}


def _uses_pid_file(exports: Exports) -> bool:
    # as the predecessors decide it: such a unit is of Type=forking
    text = exports.service_template or b""
    used = template.variables(text, source="exports/service.template")
    return {"PIDFILE", "EXEC_STOPPOST"} <= used


def _unit(system: System, exports: Exports, wanted: ContainerConfig, decided: Values) -> bytes:
    text = exports.service_template or unit.default_service_template(
        mode=system.mode, stop_signal=wanted.stop_signal or DEFAULT_STOP_SIGNAL
    )
    rendered = template.render(text, values.texts(decided), source="exports/service.template")
    checked = rendered.decode(errors="surrogateescape")
    unit.check_unit(checked)
    if system.mode is Mode.USER:
        checked = unit.for_user(checked)
    return checked.encode(errors="surrogateescape")


def _tmpfiles(system: System, blueprint: Blueprint, rootfs: Path, exports: Exports, decided: Values) -> bytes:
    if exports.tmpfiles_template is not None:
        return template.render(
            exports.tmpfiles_template, values.texts(decided), source="exports/tmpfiles.template"
        )
    if exports.config is not None or exports.config_template is not None:
        return b""
    return unit.render_tmpfiles(_volume_directories(system, blueprint, rootfs, decided)).encode()


def _volume_directories(
    system: System, blueprint: Blueprint, rootfs: Path, decided: Values
) -> Iterator[tuple[str, int, int, int]]:
    wanted = blueprint.image.image_config().container
    account = find_account(rootfs, wanted.user)
    state = Path(decided["STATE_DIRECTORY"].text)
    if wanted.volumes:
        yield str(state / blueprint.container.name), 0o711, os.geteuid(), os.getegid()
    for volume in wanted.volumes:
        directory = str(volume_directory(state, blueprint.container.name, volume))
        yield directory, *_volume_owner(system, account)


def _volume_owner(system: System, account: Account) -> tuple[int, int, int]:
    if system.mode is Mode.SYSTEM:
        return 0o755, account.uid, account.gid
    # a user cannot give a directory to a subordinate id; nobody else gets through the directory above it
    return (0o755 if account.uid == 0 else 0o777), os.geteuid(), os.getegid()


def _cgroups_path(system: System, container: Container) -> str:
    """Return the cgroup beside the runtime's own, in the unit's cgroup."""
    if system.mode is Mode.SYSTEM:
        return f"/system.slice/{container.service}/{CONTAINER_CGROUP}"
    uid = os.geteuid()
    return f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/{container.service}/{CONTAINER_CGROUP}"


def _tell_skipped(system: System, exports: Exports) -> None:
    paths = ", ".join(file.path for file in exports.host_files if file.kind != "directory")
    if paths:
        system.on_event(Warned(f"host files are for root only, not copied: {paths}"))


@contextlib.contextmanager
def _staging_directory(system: System) -> Iterator[Path]:
    """Yield a new directory; what is still there at the end is removed."""
    directory = system.paths.staging / secrets.token_hex(8)
    files.make_directory(directory, mode=0o700)
    try:
        yield directory
    finally:
        if directory.exists():
            files.remove_tree(directory)


def _write(path: Path, content: bytes) -> None:
    # durable only with the syncfs of _publish: a staged deployment is nothing yet
    path.write_bytes(content)
    path.chmod(0o600)


def _publish(directory: Path, path: Path) -> None:
    files.sync_file_system(directory)
    files.make_directory(path.parent, mode=0o700)
    directory.rename(path)
    files.fsync_directory(path.parent)
    files.fsync_directory(directory.parent)
