"""Make config.json of a deployment: the image's own or the default one, confined to what is ours."""

import os
from dataclasses import replace
from pathlib import Path

from os_containers.deployment import runtime_config, structure
from os_containers.deployment.default_config import default_config
from os_containers.deployment.old_config import drop_labels, upgrade
from os_containers.deployment.rootless import drop_groups, make_rootless
from os_containers.deployment.runtime_config import RuntimeConfig
from os_containers.deployment.variables import unit_variables
from os_containers.errors import NotFoundError, UsageError
from os_containers.events import Warned
from os_containers.host import unit
from os_containers.host.security_modules import security_modules
from os_containers.operations.draft import Draft
from os_containers.operations.system import System


def build_config(draft: Draft) -> RuntimeConfig:
    """Return the runtime configuration; what the host or a user cannot give is left out, and told."""
    system, blueprint = draft.system, draft.blueprint
    config = _own_config(draft) or _default_config(draft)
    for warning in (*upgrade(config), *drop_labels(config, security_modules())):
        system.on_event(Warned(warning))
    runtime_config.confine(config, cgroups_path=_cgroup(draft))
    if blueprint.root:
        _use_root(draft, config, blueprint.root)
    ids = system.user_ids()
    if ids:
        make_rootless(config, ids)
        if not blueprint.runtime.gives_users_groups:
            _drop_groups(system, config)
    return config


def _own_config(draft: Draft) -> RuntimeConfig | None:
    exports, root = draft.exports, draft.blueprint.root
    if exports.config is not None:
        return runtime_config.parse_config(exports.config, source="exports/config.json", root=root)
    if exports.config_template is not None:
        name = "config.json.template"
        rendered = draft.render(exports.config_template, name, structure.json_places)
        return runtime_config.parse_config(rendered, source=f"exports/{name}", root=root)
    return None


def _default_config(draft: Draft) -> RuntimeConfig:
    blueprint, wanted = draft.blueprint, draft.wanted
    runs_container = _service_runs_container(draft)
    if blueprint.root and not blueprint.image and runs_container:
        raise UsageError(
            f"nothing says what to run in {blueprint.root}",
            hint="write exports/config.json.template there, or also name an image, whose command is then run",
        )
    if not runs_container and not (*wanted.entrypoint, *wanted.cmd):
        # only `run` will, which brings its own command
        wanted = replace(wanted, cmd=("/bin/sh",))
    return default_config(
        wanted, name=blueprint.name, account=draft.account, state_directory=draft.state_directory
    )


def _service_runs_container(draft: Draft) -> bool:
    has_own_unit = draft.exports.service_template is not None
    return draft.has_service and not (has_own_unit and "EXEC_START" not in unit_variables(draft.exports))


def _cgroup(draft: Draft) -> str:
    mode = draft.system.mode
    text = draft.unit if draft.has_service else ""
    slices = unit.slice_path(text, default=unit.default_slice(mode))
    return unit.cgroup_path(f"{draft.blueprint.name}.service", mode=mode, uid=os.geteuid(), slices=slices)


def _use_root(draft: Draft, config: RuntimeConfig, root: Path) -> None:
    config["root"]["path"] = str(root)
    if _service_runs_container(draft) and not runtime_config.may_have_program(config, root):
        raise NotFoundError(
            f"{root} is not a root file system: there is no {config['process']['args'][0]!r}",
            hint="name the directory with usr, etc and so on in it, or first mount what belongs there",
        )
    missing = ", ".join(runtime_config.missing_mount_points(config, root))
    if missing:
        fact = f"{root} lacks the mount points {missing}"
        draft.system.on_event(Warned(f"{fact}: the runtime makes them, if it can"))


def _drop_groups(system: System, config: RuntimeConfig) -> None:
    missed = drop_groups(config)
    if missed:
        groups = ", ".join(map(str, missed))
        system.on_event(Warned(f"runc gives a user's container no supplementary groups: {groups}"))
