"""What is known about an image, for people and for machines."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime

import click
import msgspec

from os_containers.cli import render
from os_containers.cli.plain import plain
from os_containers.deployment.privileges import HostMount, Privileges
from os_containers.deployment.values import Origin
from os_containers.deployment.variables import Variable
from os_containers.operations.image_demands import Demands, HostFileDemand
from os_containers.operations.image_info import ImageInfo, LayerInfo, Stored
from os_containers.operations.image_use import Use

_WIDTH = 13
_LONG = 60


class VariableJson(msgspec.Struct, frozen=True):
    """A variable of the image's templates; one that is required has no default."""

    name: str
    default: str | None
    required: bool
    origin: str | None
    used_in: tuple[str, ...]


class ImageInfoJson(msgspec.Struct, frozen=True, kw_only=True):
    """An image; sizes are bytes. What only a pulled image can tell is null for one that was not.

    The first three sizes are those of `images list`. on_disk is what it takes in the store, and freed what of
    that `images prune` frees when its last name and its last container are gone.
    """

    name: str | None
    names: tuple[str, ...]
    digest: str
    created: str | None
    pulled: datetime | None
    platform: str
    commit: str | None
    size: int | None
    own_layers: int | None
    shared_layers: int | None
    on_disk: int | None
    freed: int | None
    to_fetch: int
    used_by: tuple[Use, ...]
    layers: tuple[LayerInfo, ...]
    labels: dict[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[str, ...]
    user: str
    working_dir: str
    stop_signal: str
    volumes: tuple[str, ...]
    ports: tuple[str, ...]
    version: str | None
    has_service: bool | None
    own_unit: bool | None
    own_config: bool | None
    variables: tuple[VariableJson, ...] | None
    host_files: tuple[HostFileDemand, ...] | None
    privileges: Privileges | None
    host_commands: tuple[str, ...] | None
    problems: tuple[str, ...]


def info_json(info: ImageInfo) -> ImageInfoJson:
    """Return what is known about an image, for machines."""
    stored, demands, command = info.stored, info.demands, info.config.container
    on_disk = stored.on_disk if stored else None
    return ImageInfoJson(
        name=info.name or None,
        names=stored.names if stored else (),
        digest=info.digest,
        created=info.config.created,
        pulled=stored.pulled if stored else None,
        platform=f"{info.config.os}/{info.config.architecture}",
        commit=stored.commit if stored else None,
        size=stored.size if stored else None,
        own_layers=stored.layers.own if stored else None,
        shared_layers=stored.layers.shared if stored else None,
        on_disk=on_disk.own + on_disk.shared if on_disk else None,
        freed=on_disk.own if on_disk else None,
        to_fetch=_to_fetch(info),
        used_by=stored.uses if stored else (),
        layers=info.layers,
        labels=dict(info.about.labels),
        entrypoint=command.entrypoint,
        cmd=command.cmd,
        env=command.env,
        user=command.user,
        working_dir=command.working_dir,
        stop_signal=command.stop_signal,
        volumes=command.volumes,
        ports=info.about.ports,
        version=demands.version if demands else None,
        has_service=demands.has_service if demands else None,
        own_unit=demands.own_unit if demands else None,
        own_config=demands.own_config if demands else None,
        variables=tuple(map(_variable_json, demands.variables)) if demands else None,
        host_files=demands.host_files if demands else None,
        privileges=demands.privileges if demands else None,
        host_commands=demands.host_commands if demands else None,
        problems=demands.problems if demands else (),
    )


def show(info: ImageInfo) -> None:
    """Print what is known about an image, for people."""
    click.echo(plain(info.name or info.digest))
    for name, value in _facts(info):
        if value:
            click.echo(f"  {name:{_WIDTH}} {plain(value)}")
    _section("Environment", info.config.container.env)
    _section("Layers", [_layer_line(layer) for layer in info.layers])
    _section("Labels", [f"{key}={value}" for key, value in sorted(info.about.labels.items())])
    if info.demands:
        _show_demands(info, info.demands)
    else:
        click.echo("Variables, host files and privileges are known once the image is pulled.")


def _facts(info: ImageInfo) -> Iterator[tuple[str, str]]:
    config = info.config
    command = config.container
    yield "Digest", info.digest
    yield "Created", _time(config.created)
    yield "Platform", f"{config.os}/{config.architecture}"
    if info.stored:
        stored = info.stored
        yield "Other names", ", ".join(name for name in stored.names if name != info.name)
        yield "Pulled", stored.pulled.strftime("%Y-%m-%d %H:%M:%S %Z") if stored.pulled else ""
        yield "Size", render.human_size(stored.size)
        yield "Own layers", render.human_size(stored.layers.own)
        yield "On disk", _on_disk(stored)
        yield "Used by", ", ".join(_use(use) for use in stored.uses)
    if not info.stored or _to_fetch(info):
        yield "To fetch", _fetch_line(info)
    yield "Command", shlex.join((*command.entrypoint, *command.cmd))
    yield "User", command.user
    yield "Directory", command.working_dir
    yield "Stop signal", command.stop_signal
    yield "Volumes", ", ".join(command.volumes)
    yield "Ports", ", ".join(info.about.ports)


def _time(created: str | None) -> str:
    ago = render.since_text(created)
    return f"{created} ({ago})" if ago else ""


def _on_disk(stored: Stored) -> str:
    if not stored.on_disk:
        return ""
    own, shared = stored.on_disk.own, stored.on_disk.shared
    without = "without it and its containers" if stored.uses else "without it"
    return f"{render.human_size(own + shared)}; {without}, images prune frees {render.human_size(own)}"


def fetch_lines(info: ImageInfo) -> Iterator[str]:
    """Yield what a pull would fetch, layer by layer."""
    for layer in info.layers:
        there = "is here already" if layer.is_here else "would be fetched"
        yield f"layer {layer.digest}  {render.human_size(layer.size)}, {there}"
    yield f"{plain(info.name)} {info.digest}: {_fetch_line(info)} to fetch"


def _to_fetch(info: ImageInfo) -> int:
    return sum(
        one.size for one in {layer.digest: layer for layer in info.layers if not layer.is_here}.values()
    )


def _fetch_line(info: ImageInfo) -> str:
    missing = {layer.digest for layer in info.layers if not layer.is_here}
    return f"{render.human_size(_to_fetch(info))} in {len(missing)} of {len(info.layers)} layers"


def _use(use: Use) -> str:
    return use.container if use.active else f"{use.container} (deployment {use.serial}, kept for rollback)"


def _layer_line(layer: LayerInfo) -> str:
    unpacked = f", {render.human_size(layer.unpacked)} unpacked" if layer.unpacked is not None else ""
    shared = f", also in {', '.join(layer.shared_with)}" if layer.shared_with else ""
    return f"{render.short_id(layer.digest)}  {render.human_size(layer.size)}{unpacked}{shared}"


def _show_demands(info: ImageInfo, demands: Demands) -> None:
    _section("Variables", [_variable_line(one) for one in demands.variables])
    skipped = "" if demands.installs_host_files else " (for root only, not installed)"
    _section(f"Host files{skipped}", [_host_file_line(one) for one in demands.host_files])
    _section("Privileges", [*_privilege_lines(demands.privileges), *_command_lines(demands)])
    _section("Problems", demands.problems)
    if not demands.problems:
        click.echo(f"To install it: os-containers {plain(_install_line(info, demands))}")


def _section(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(title)
        for line in lines:
            click.echo(f"  {plain(line)}")


def _variable_line(variable: Variable) -> str:
    if variable.default is None:
        return f"{variable.name} must be set"
    default = variable.default if len(variable.default) <= _LONG else f"{variable.default[:_LONG]}..."
    by_host = "  (from the host)" if variable.origin is Origin.GENERATED else ""
    unused = "" if variable.used_in else "  (in no template)"
    return f"{variable.name}={default}{by_host}{unused}"


def _host_file_line(file: HostFileDemand) -> str:
    kind = file.kind if file.mode == "0644" or file.kind != "file" else f"{file.kind} {file.mode}"
    template = ", from a template" if file.is_template else ""
    needs = f", needs {' '.join(file.needs)}" if file.needs else ""
    return f"{file.path}  {kind}{template}{needs}"


def _privilege_lines(privileges: Privileges | None) -> Iterator[str]:
    if privileges is None:
        return
    if privileges.host_namespaces:
        yield f"namespaces of the host: {', '.join(privileges.host_namespaces)}"
    yield f"runs as {'root' if privileges.root else 'an ordinary user'}"
    if privileges.capabilities:
        yield f"capabilities beyond the usual: {', '.join(privileges.capabilities)}"
    if privileges.may_gain_more:
        yield "its programs may gain more through setuid files"
    if privileges.every_device:
        yield "every device of the host"
    yield from (f"device {one}" for one in privileges.devices)
    yield from map(_mount_line, privileges.mounts)
    yield from (f"program of the host, {one}" for one in privileges.hooks)


def _mount_line(mount: HostMount) -> str:
    at = "" if mount.source == mount.destination else f" at {mount.destination}"
    how = "read-only" if mount.read_only else "writable"
    return f"mount of {mount.source}{at}, {how}{', mounts in it reach the host' if mount.propagates else ''}"


def _command_lines(demands: Demands) -> list[str]:
    return [f"program of the host, {one}" for one in demands.host_commands]


def _install_line(info: ImageInfo, demands: Demands) -> str:
    settings = [f"--set {one.name}=..." for one in demands.variables if one.default is None]
    needs = dict.fromkeys(need for one in demands.host_files for need in one.needs)
    return " ".join(("install", *settings, *needs, info.name or info.digest[:19]))


def _variable_json(variable: Variable) -> VariableJson:
    return VariableJson(
        name=variable.name,
        default=variable.default,
        required=variable.is_required,
        origin=variable.origin,
        used_in=variable.used_in,
    )
