"""What an image wants of whoever installs it: values, host files, privileges; nothing is installed for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from os_containers.deployment import old_config, runtime_config, template, values
from os_containers.deployment.accounts import Account
from os_containers.deployment.default_config import default_config
from os_containers.deployment.exports import Exports, FileKind, load_exports, read_export
from os_containers.deployment.host_tree import (
    HostFile,
    destinations,
    is_template,
    load_host_tree,
    write_host_tree,
)
from os_containers.deployment.name import check_name
from os_containers.deployment.privileges import Privileges, privileges_of
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.deployment.unit_text import settings
from os_containers.deployment.values import Value
from os_containers.deployment.variables import Variable, all_templates, variables_of
from os_containers.errors import ConflictError, ImageError, UsageError
from os_containers.host.host_policy import POLICY_FILE, Permission, allowed_by, is_sensitive
from os_containers.host.host_root import HostRoot
from os_containers.image.reference import container_name
from os_containers.operations.stage import staging_directory
from os_containers.operations.system import System
from os_containers.ostree.checkout import checkout_part
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import StoredImage
from os_containers.paths import Mode

_SETUID = 0o6000
_NOBODY = 65534
_EXEC = ("EXEC_START", "EXEC_STARTPRE", "EXEC_STOP", "EXEC_STOPPOST")


@dataclass(frozen=True, slots=True)
class HostFileDemand:
    """A file that an image puts on the host; needs are the options without which it is refused."""

    path: str
    kind: FileKind
    mode: str
    is_template: bool
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Demands:
    """What an image wants; problems are why it could not be installed as it is.

    host_commands are those of its unit that do not go through the OCI runtime.
    """

    version: str | None = None
    has_service: bool = True
    own_unit: bool = False
    own_config: bool = False
    installs_host_files: bool = True
    variables: tuple[Variable, ...] = ()
    host_files: tuple[HostFileDemand, ...] = ()
    privileges: Privileges | None = None
    host_commands: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def demands_of(system: System, repo: Repo, image: StoredImage) -> Demands:
    """Return what an image in the store wants. Raises BrokenError when that part of it is damaged."""
    with system.store_in_use(), staging_directory(system, "info") as scratch:
        rootfs = scratch.path / "rootfs"
        try:
            checkout_part(repo, image.commit, "exports", rootfs)
            exports = load_exports(rootfs, limits=system.config.deployment)
        except ImageError as error:
            return Demands(problems=(error.message,))
        return _Inspection(system, image, rootfs, exports).demands()


@dataclass(frozen=True)
class _Inspection:
    """An image's exports, looked at with the values that an install without --set would give."""

    system: System
    image: StoredImage
    rootfs: Path
    exports: Exports
    problems: list[str] = field(default_factory=list)

    def demands(self) -> Demands:
        manifest, exports = self.exports.manifest, self.exports
        decided = self._values()
        variables = self._variables(decided)
        # what must be set stands there as the template has it
        texts = values.texts(decided) | {one.name: f"${one.name}" for one in variables if one.is_required}
        return Demands(
            version=None if manifest.version is None else str(manifest.version),
            has_service=not manifest.no_container_service,
            own_unit=exports.service_template is not None,
            own_config=exports.config is not None or exports.config_template is not None,
            installs_host_files=self.system.mode is Mode.SYSTEM,
            variables=tuple(variables),
            host_files=tuple(self._host_files(texts)),
            privileges=self._privileges(texts),
            host_commands=tuple(self._host_commands(texts)),
            # last: the others find them
            problems=tuple(dict.fromkeys(self.problems)),
        )

    def _values(self) -> dict[str, Value]:
        name = self._name()
        path = self.system.paths.deployments / name / "1"
        forced = values.forced(name, path=path, image_id=self.image.digest.hex, image_name=self.image.name)
        runtime = Path("/usr/bin/crun")
        return values.decide(
            mode=self.system.mode,
            settings={},
            defaults=self.exports.manifest.defaults(),
            generated=values.generate(self.system.paths, name=name, runtime=runtime, previous={}),
            forced=forced | {one: f"${one}" for one in _EXEC},
        )

    def _name(self) -> str:
        name = container_name(self.image.name or "image:latest")
        try:
            return check_name(name)
        except UsageError as error:
            self.problems.append(f"{error.message}: install it with --name")
            return name

    def _variables(self, decided: Mapping[str, Value]) -> list[Variable]:
        try:
            templates = all_templates(self.exports, self._read)
            return variables_of(templates, decided, self.exports.manifest.defaults())
        except ImageError as error:
            self.problems.append(error.message)
            return []

    def _read(self, name: str) -> bytes:
        return read_export(self.rootfs, name, limit=self.system.config.deployment.template) or b""

    def _host_files(self, texts: Mapping[str, str]) -> list[HostFileDemand]:
        tree, limits = self.rootfs.parent / "host", self.system.config.deployment
        try:
            write_host_tree(self.exports, self.rootfs, texts, tree, limits=limits)
        except (ImageError, UsageError) as error:
            self.problems.append(error.message)
            return []
        places = destinations(self.exports, texts, limits)
        manifest = self.exports.manifest
        return [
            self._demand(one, is_template=is_template(manifest, places[one.path], one.path))
            for one in load_host_tree(tree)
            if one.kind is not FileKind.DIRECTORY
        ]

    def _demand(self, file: HostFile, *, is_template: bool) -> HostFileDemand:
        needs = _needs(file, self._permission) if self.system.mode is Mode.SYSTEM else ()
        return HostFileDemand(file.path, file.kind, f"{file.mode:04o}", is_template, needs)

    @cached_property
    def _permission(self) -> Permission:
        return Permission(allowed_by(self.system.paths.config_directory / POLICY_FILE))

    def _privileges(self, texts: Mapping[str, str]) -> Privileges | None:
        try:
            config = self._own_config(texts) or self._default_config(texts)
            old_config.upgrade(config)
            runtime_config.confine(config, cgroups_path="")
            if self.system.mode is Mode.USER:
                config["linux"].setdefault("namespaces", []).append({"type": "user"})
            return privileges_of(config)
        except (ImageError, UsageError) as error:
            self.problems.append(error.message)
            return None

    def _own_config(self, texts: Mapping[str, str]) -> RuntimeConfig | None:
        if self.exports.config is not None:
            return runtime_config.parse_config(self.exports.config, source="exports/config.json")
        if self.exports.config_template is None:
            return None
        source = "exports/config.json.template"
        limit = self.system.config.deployment.rendered
        rendered = template.render(self.exports.config_template, texts, source=source, limit=limit)
        return runtime_config.parse_config(rendered, source=source)

    def _default_config(self, texts: Mapping[str, str]) -> RuntimeConfig:
        wanted = self.image.image_config().container
        user = wanted.user.partition(":")[0]
        # who that is only its passwd tells; here it matters whether it is root
        uid = 0 if user in {"", "0", "root"} else _NOBODY
        state = Path(texts["STATE_DIRECTORY"])
        return default_config(wanted, name=texts["NAME"], account=Account(uid, uid), state_directory=state)

    def _host_commands(self, texts: Mapping[str, str]) -> list[str]:
        unit = self.exports.service_template
        if unit is None or self.exports.manifest.no_container_service:
            return []
        try:
            limit = self.system.config.deployment.rendered
            text = template.render(unit, texts, source="exports/service.template", limit=limit)
        except (ImageError, UsageError) as error:
            self.problems.append(error.message)
            return []
        return [
            f"{one.key}={one.value}"
            for one in settings(text.decode(errors="replace"))
            if one.section == "Service" and one.key.startswith("Exec") and not _is_ours(one.value)
        ]


def _is_ours(command: str) -> bool:
    # systemd.service(5), special executable prefixes
    return command.lstrip("-@:+!|") in {"", *(f"${one}" for one in _EXEC)}


def _needs(file: HostFile, permission: Permission) -> tuple[str, ...]:
    needs = []
    names = {file.path, _real_path(file.path)}
    if any(map(is_sensitive, names)) and not any(map(permission.covers, names)):
        needs.append(f"--allow-host-path {file.path}")
    if file.mode & _SETUID or file.capabilities:
        needs.append("--allow-setuid")
    return tuple(needs)


def _real_path(path: str) -> str:
    try:
        return HostRoot().real_path(path)
    except ConflictError:
        return path
