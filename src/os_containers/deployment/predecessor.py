"""What the predecessors left, the Go os-containers and atomic: where their deployments are, how to read them.

    NAME -> /var/lib/containers/atomic/NAME.1     absolute
    NAME.0/  NAME.1/    rootfs/  config.json  NAME.service  tmpfiles-NAME.conf  info

They stay where they are, for their units and runtime configurations name that place, and a service may be
running from it. Their serials are 0 and 1: every deployment of ours comes after them.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from os_containers.deployment.values import FORCED, Origin, Value, Values

SERIALS = (0, 1)
_PARTS = ("info", "config.json")
# of every container its own, or of the host: none that a person would want to keep
_GENERATED = frozenset({"ALL_PROCESS_CAPABILITIES", "ATOMIC", "RUNTIME", "UUID"})
_LISTS = ("installed-files", "installed-files-template")


def directory_name(container: str, serial: int) -> str:
    return f"{container}.{serial}"


def find_serial(container: str, path: Path) -> int | None:
    """Return the serial of a deployment by the name of its directory, None when it is one of ours."""
    return next((serial for serial in SERIALS if path.name == directory_name(container, serial)), None)


def find_places(state: Path, container: str) -> dict[int, Path]:
    """Return where the predecessors' deployments of a container are, by their serials."""
    places = {serial: state / directory_name(container, serial) for serial in SERIALS}
    return {serial: path for serial, path in places.items() if _is_deployment(path)}


def find_names(state: Path) -> set[str]:
    """Return the names of the containers of which there are such deployments, with a link or without."""
    if not state.is_dir():
        return set()
    suffixes = tuple(directory_name("", serial) for serial in SERIALS)
    return {one.stem for one in state.iterdir() if one.name.endswith(suffixes) and _is_deployment(one)}


def find_named(unit: str, places: Iterable[Path]) -> Path | None:
    """Return the deployment that a unit names, None when it names none or several."""
    # not the whole path: on some hosts it went through another mount of the same directory
    named = [one for one in places if re.search(rf"/{re.escape(one.name)}(?![\w.-])", unit)]
    return named[0] if len(named) == 1 else None


def _is_deployment(path: Path) -> bool:
    # a symlink is a container of ours that has such a name
    return not path.is_symlink() and any((path / part).is_file() for part in _PARTS)


def normalized(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of an info file with what both left out, wrote as null, or as a number."""
    tree = {key: value for key, value in info.items() if value is not None}
    if "image" in info:
        tree = {"image": "", "revision": ""} | tree
    if isinstance(tree.get("ostree-commit"), int):
        tree["ostree-commit"] = str(tree["ostree-commit"])
    if isinstance(values := tree.get("values"), dict):
        tree["values"] = {name: _text(value) for name, value in values.items() if value is not None}
    if isinstance(checksums := tree.get("installed-files-checksum"), dict):
        tree["installed-files-checksum"] = {_absolute(path): value for path, value in checksums.items()}
    for key in _LISTS:
        if isinstance(paths := tree.get(key), list):
            tree[key] = [_absolute(path) if isinstance(path, str) else path for path in paths]
    return tree


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _absolute(path: str) -> str:
    return f"/{path.lstrip('/')}"


def with_origins(
    values: Values, *, defaults: Iterable[Mapping[str, str]], generated: Mapping[str, str]
) -> dict[str, Value]:
    """Return the values of a deployment with who decided each: the predecessors saved all of them alike.

    defaults are those of the container's images. What is none of these was set by a person.
    """
    known = list(defaults)
    return {
        name: Value(value.text, _origin(name, value.text, known, generated)) for name, value in values.items()
    }


def _origin(
    name: str, text: str, defaults: Iterable[Mapping[str, str]], generated: Mapping[str, str]
) -> Origin:
    if name in FORCED:
        return Origin.FORCED
    if any(one.get(name) == text for one in defaults):
        return Origin.DEFAULT
    if name in _GENERATED or generated.get(name) == text:
        return Origin.GENERATED
    return Origin.SET
