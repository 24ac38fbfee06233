"""The variables of an image's templates: which have a default, which must be set; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from os_containers.deployment import template
from os_containers.deployment.exports import Exports
from os_containers.deployment.host_tree import is_template, renamed
from os_containers.deployment.values import Origin, Value


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that may be set; one without a default must be. used_in are the templates that have it."""

    name: str
    default: str | None
    origin: Origin | None
    used_in: tuple[str, ...]

    @property
    def is_required(self) -> bool:
        return self.default is None


def unit_templates(exports: Exports) -> dict[str, bytes]:
    """Return the templates that make the configuration and the unit, by what they are called."""
    templates = {"config.json.template": exports.config_template} if exports.config is None else {}
    if not exports.manifest.no_container_service:
        templates["service.template"] = exports.service_template
        templates["tmpfiles.template"] = exports.tmpfiles_template
    return {f"exports/{name}": text for name, text in templates.items() if text is not None}


def unit_variables(exports: Exports) -> frozenset[str]:
    """Return the names that the image's own unit uses, none without one."""
    return template.variables(exports.service_template or b"", source="exports/service.template")


def file_templates(exports: Exports) -> list[str]:
    """Return which host files are templates, as their paths in the image."""
    renames = exports.manifest.rename_files
    return [
        f"exports/hostfs{one.path}"
        for one in exports.host_files
        if is_template(exports.manifest, one, renamed(one.path, renames))
    ]


def rename_templates(exports: Exports) -> dict[str, bytes]:
    """Return the new names of host files, which are templates, too."""
    return {"exports/manifest.json": "\n".join(exports.manifest.rename_files.values()).encode()}


def all_templates(exports: Exports, read: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return all of these by what they are called; read gives what a host file holds."""
    files = {name: read(name) for name in file_templates(exports)}
    return unit_templates(exports) | files | rename_templates(exports)


def variables_of(
    templates: Mapping[str, bytes], values: Mapping[str, Value], defaults: Mapping[str, str]
) -> list[Variable]:
    """Return the variables by name, those that must be set first; what is forced is left out.

    The values are those of an install without --set.
    """
    used: dict[str, list[str]] = {name: [] for name in defaults}
    for source, text in templates.items():
        for name in template.variables(text, source=source):
            used.setdefault(name, []).append(source)
    found = [_variable(name, values.get(name), sources) for name, sources in used.items()]
    settable = (one for one in found if one.origin is not Origin.FORCED)
    return sorted(settable, key=lambda one: (not one.is_required, one.name))


def _variable(name: str, value: Value | None, sources: list[str]) -> Variable:
    if value is None:
        return Variable(name, None, None, tuple(sources))
    return Variable(name, value.text, value.origin, tuple(sources))
