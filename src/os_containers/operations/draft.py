"""An image on the way to a deployment: its templates, and a value for each of their variables."""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from os_containers.deployment import runtime_config, structure, template, values
from os_containers.deployment.accounts import Account, find_account
from os_containers.deployment.bind_sources import DirectoryLine, wanted_directories
from os_containers.deployment.container import all_containers
from os_containers.deployment.default_config import default_config, volume_directory
from os_containers.deployment.exports import Exports, FileKind, read_export
from os_containers.deployment.host_tree import destinations
from os_containers.deployment.json_text import AUTHOR
from os_containers.deployment.old_config import drop_labels, upgrade
from os_containers.deployment.record import Record
from os_containers.deployment.rootless import drop_groups, make_rootless
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.deployment.values import FORCED, Origin, Value
from os_containers.deployment.variables import all_templates
from os_containers.errors import ImageError, OsContainersError, UsageError
from os_containers.events import Warned
from os_containers.host import unit
from os_containers.host.security_modules import security_modules
from os_containers.image.manifest import ContainerConfig
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.system import System
from os_containers.paths import Mode
from os_containers.suggestions import suggestion

DEFAULT_STOP_SIGNAL = "SIGTERM"
# OCI image-spec, config, StopSignal: SIGNAME, SIGRTMIN+n, or a number
_SIGNAL_NAMES = "|".join(one.name.removeprefix("SIG") for one in signal.Signals)
_SIGNAL = re.compile(rf"(?:SIG)?(?:{_SIGNAL_NAMES}|RTMIN\+[0-9]{{1,2}})|[1-9]|[1-5][0-9]|6[0-4]")


@dataclass(frozen=True)
class Draft:
    """An image's templates and defaults on the way to a deployment."""

    system: System
    blueprint: Blueprint
    rootfs: Path
    exports: Exports

    @cached_property
    def wanted(self) -> ContainerConfig:
        image = self.blueprint.image
        return image.image_config().container if image else ContainerConfig()

    @property
    def has_service(self) -> bool:
        return not self.exports.manifest.no_container_service

    @property
    def stop_signal(self) -> str:
        wanted = self.wanted.stop_signal or DEFAULT_STOP_SIGNAL
        if not _SIGNAL.fullmatch(wanted):
            raise ImageError(f"the image's stop signal {wanted!a} is none", hint=AUTHOR)
        return wanted

    @cached_property
    def generated(self) -> dict[str, str]:
        """Return the values that an image need not declare."""
        return values.generate(
            self.system.paths,
            name=self.blueprint.name,
            runtime=self.blueprint.runtime.path,
            previous=self.blueprint.previous,
        )

    @cached_property
    def values(self) -> dict[str, Value]:
        """Return the value of every variable; the command lines need some of the others first."""
        blueprint, image = self.blueprint, self.blueprint.image
        decided = values.decide(
            mode=self.system.mode,
            settings=blueprint.settings,
            defaults=self.exports.manifest.defaults(),
            generated=self.generated,
            forced={
                "DESTDIR": str(blueprint.path),
                "HOST_GID": str(os.getegid()),
                "HOST_UID": str(os.geteuid()),
                "IMAGE_ID": image.digest.hex if image else "",
                "IMAGE_NAME": image.name if image else str(blueprint.root),
                "NAME": blueprint.name,
            },
        )
        commands = blueprint.runtime.service_commands(
            blueprint.name,
            # by the link: so an update leaves the unit as it is, and systemd has nothing to load again
            self.system.container(blueprint.name).link,
            pid_file=Path(decided["PIDFILE"].text) if self._uses_pid_file() else None,
            stop_signal=self.stop_signal,
        )
        lines = unit.exec_variables(commands).items()
        return decided | {name: Value(text, Origin.FORCED) for name, text in lines}

    @cached_property
    def texts(self) -> dict[str, str]:
        return values.texts(self.values)

    @cached_property
    def unit(self) -> str:
        """Return the unit: the image's own, rendered, or the default one."""
        service_template = self.exports.service_template or unit.default_service_template(
            mode=self.system.mode, stop_signal=self.stop_signal
        )
        text = self._render(service_template, "service.template", structure.unit_places).decode(
            errors="surrogateescape"
        )
        unit.check_unit(text)
        text = unit.stop_at_ease(text, self.texts["EXEC_STOP"])
        text = unit.for_user(text) if self.system.mode is Mode.USER else text
        root = self.blueprint.root
        return f"{text}{unit.render_needs(str(root))}" if root else text

    def runtime_config(self) -> RuntimeConfig:
        """Return the runtime configuration: the image's own or the default one, confined to what is ours."""
        config = self._own_config() or self._default_config()
        for warning in (*upgrade(config), *drop_labels(config, security_modules())):
            self.system.on_event(Warned(warning))
        runtime_config.confine(config, cgroups_path=self._cgroup())
        if self.blueprint.root:
            self._use_root(config, self.blueprint.root)
        ids = self.system.user_ids()
        if ids:
            make_rootless(config, ids)
            if not self.blueprint.runtime.gives_users_groups:
                self._drop_groups(config)
        return config

    def _use_root(self, config: RuntimeConfig, root: Path) -> None:
        config["root"]["path"] = str(root)
        for place in runtime_config.missing_mount_points(config, root):
            fact = f"{root} has nothing at {place}, where something is mounted"
            self.system.on_event(Warned(f"{fact}: the runtime makes it there, if it can"))

    def _drop_groups(self, config: RuntimeConfig) -> None:
        missed = drop_groups(config)
        if missed:
            groups = ", ".join(map(str, missed))
            self.system.on_event(Warned(f"runc gives a user's container no supplementary groups: {groups}"))

    def tmpfiles(self, config: RuntimeConfig) -> bytes:
        """Return the tmpfiles.d fragment: the image's own, or one for what its config mounts."""
        if self.exports.tmpfiles_template is not None:
            return self._render(
                self.exports.tmpfiles_template, "tmpfiles.template", structure.tmpfiles_places
            )
        if self.exports.config is not None or self.exports.config_template is not None:
            return unit.render_missing(self._directories_to_mount(config)).encode()
        return unit.render_tmpfiles(self._volume_directories()).encode()

    def check_values(self) -> None:
        """Raise ImageError that lists the variables without a value, of all templates at once."""
        exports = self.exports
        templates = {"config.json.template": exports.config_template} if exports.config is None else {}
        if self.has_service:
            templates["service.template"] = exports.service_template
            templates["tmpfiles.template"] = exports.tmpfiles_template
        given = {f"exports/{name}": text for name, text in templates.items() if text is not None}
        template.require_values(given, self.texts)

    def tell_unknown_keys(self) -> None:
        """Warn about what the export manifest says and we do not understand."""
        for key in self.exports.unknown_keys:
            self.system.on_event(Warned(f"exports/manifest.json has the unknown key {key!a}"))

    def check_settings(self) -> None:
        """Raise UsageError for values set now that nothing asks for: the name may be mistyped."""
        settings, previous = self.blueprint.settings, self.blueprint.previous
        fresh = {name for name, text in settings.items() if previous.get(name) != Value(text, Origin.SET)}
        known = self._known_names() if fresh else set()
        unused = sorted(fresh - known)
        if known and unused:
            meant = sorted(known - FORCED)
            hint = suggestion(unused[0], meant, otherwise="images info shows what can be set")
            raise UsageError(f"nothing in the image uses {unused[0]}, so it cannot be set", hint=hint)

    def _known_names(self) -> set[str]:
        """Return the names that mean something to the image; none when its templates cannot be read."""
        exports, limit = self.exports, self.system.config.deployment.template
        names = {*exports.manifest.defaults(), *self.generated}
        try:
            templates = all_templates(exports, lambda one: read_export(self.rootfs, one, limit=limit) or b"")
            return names.union(*(template.variables(text, source=one) for one, text in templates.items()))
        except ImageError:
            # told where it matters: a user has no host files
            return set()

    def tell_skipped_files(self) -> None:
        """Warn about the host files that only root may install."""
        files = [file.path for file in self.exports.host_files if file.kind is not FileKind.DIRECTORY]
        if files:
            self.system.on_event(Warned(f"host files are for root only, not copied: {', '.join(files)}"))

    def record(self) -> Record:
        blueprint, image = self.blueprint, self.blueprint.image
        return Record(
            serial=blueprint.serial,
            image=image.name if image else "",
            digest=str(image.digest) if image else "",
            commit=image.commit if image else "",
            created=time.time(),
            runtime=str(blueprint.runtime.path),
            values=self.values,
            has_service=self.has_service,
            remote=str(blueprint.root or ""),
        )

    def _render(self, text: bytes, name: str, places: structure.Places) -> bytes:
        source = f"exports/{name}"
        rendered = template.render(
            text, self.texts, source=source, limit=self.system.config.deployment.rendered
        )
        for misfit in structure.misfits(text, self.texts, places, source=source):
            raise _misfit_error(misfit, self.values[misfit.variable].origin, source)
        return rendered

    def _own_config(self) -> RuntimeConfig | None:
        if self.exports.config is not None:
            return runtime_config.parse_config(
                self.exports.config, source="exports/config.json", root=self.blueprint.root
            )
        if self.exports.config_template is not None:
            rendered = self._render(
                self.exports.config_template, "config.json.template", structure.json_places
            )
            return runtime_config.parse_config(
                rendered, source="exports/config.json.template", root=self.blueprint.root
            )
        return None

    def _default_config(self) -> RuntimeConfig:
        wanted = self.wanted
        if self.blueprint.root and not self.blueprint.image and self._service_runs_container():
            raise UsageError(
                f"nothing says what to run in {self.blueprint.root}",
                hint="write exports/config.json.template there, or name an image whose command it is to run",
            )
        if not self._service_runs_container() and not (*wanted.entrypoint, *wanted.cmd):
            # only `run` will, which brings its own command
            wanted = replace(wanted, cmd=("/bin/sh",))
        return default_config(
            wanted, name=self.blueprint.name, account=self._account(), state_directory=self._state()
        )

    def _directories_to_mount(self, config: RuntimeConfig) -> Iterator[DirectoryLine]:
        paths = self.system.paths
        deployments = (one for container in all_containers(paths) for one in container.readable())
        places = destinations(self.exports, self.texts, self.system.config.deployment)
        # a user's container brings none, so its directories are to be made
        is_root = self.system.mode is Mode.SYSTEM
        host_files = [path for path, one in places.items() if is_root or one.kind is not FileKind.DIRECTORY]
        return wanted_directories(
            config,
            self.rootfs,
            self.texts,
            made={path for one in deployments for path in one.record.directories},
            host_files=host_files,
            kept_out=(self.blueprint.path, paths.state, paths.repo),
        )

    def _volume_directories(self) -> Iterator[DirectoryLine]:
        name, account = self.blueprint.name, self._account()
        if self.wanted.volumes:
            # a user's volumes may be open to all: they are behind this
            mode = 0o711 if self.system.mode is Mode.SYSTEM else 0o700
            yield str(self._state() / name), mode, os.geteuid(), os.getegid()
        for volume in self.wanted.volumes:
            yield str(volume_directory(self._state(), name, volume)), *self._volume_owner(account)

    def _volume_owner(self, account: Account) -> tuple[int, int, int]:
        if self.system.mode is Mode.SYSTEM:
            return 0o755, account.uid, account.gid
        # a user cannot give a directory to one of its subordinate ids
        return (0o755 if account.uid == 0 else 0o777), os.geteuid(), os.getegid()

    def _account(self) -> Account:
        return find_account(self.rootfs, self.wanted.user)

    def _state(self) -> Path:
        return Path(self.texts["STATE_DIRECTORY"])

    def _cgroup(self) -> str:
        mode = self.system.mode
        text = self.unit if self.has_service else ""
        slices = unit.slice_path(text, default=unit.default_slice(mode))
        name = f"{self.blueprint.name}.service"
        return unit.cgroup_path(name, mode=mode, uid=os.geteuid(), slices=slices)

    def _uses_pid_file(self) -> bool:
        # as the predecessors decide it: such a unit is of Type=forking
        return {"PIDFILE", "EXEC_STOPPOST"} <= self._used_by_own_unit()

    def _service_runs_container(self) -> bool:
        has_own_unit = self.exports.service_template is not None
        return self.has_service and not (has_own_unit and "EXEC_START" not in self._used_by_own_unit())

    def _used_by_own_unit(self) -> frozenset[str]:
        return template.variables(self.exports.service_template or b"", source="exports/service.template")


def _misfit_error(misfit: structure.Misfit, origin: Origin, source: str) -> OsContainersError:
    """Return the error for who decided a value that a template has no room for."""
    fact = f"{source}:{misfit.line}: the value of {misfit.variable} {misfit.why}"
    if origin in {Origin.SET, Origin.GENERATED}:
        return UsageError(fact, hint=f"give another with --set {misfit.variable}=VALUE")
    return ImageError(fact, hint=AUTHOR)
