"""What a shell completes where a command's own words end: the names that are there.

It must be there before a person wonders, and says nothing when it fails: nobody has called a command yet.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from os_containers.cli.plain import plain
from os_containers.errors import OsContainersError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from os_containers.deployment.container import Container
    from os_containers.paths import Paths

# A word, and what it is in a few others.
Found = Iterator[tuple[str, str]]
Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

_TRANSPORTS = ("docker://", "oci:", "oci-archive:", "docker-archive:", "dir:", "containers-storage:")
_EXPORTS = ("manifest.json", "config.json.template", "service.template", "tmpfiles.template")
# of a template; one that has more is refused anyway
_MOST = 1 << 20
_PATHS = ("oci:", "oci-archive:", "docker-archive:", "dir:")


def completer(find: Callable[[click.Context, str], Found]) -> Completer:
    """Return what click asks, of a function that yields words; those that do not fit are left out."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell wants it

        items = []
        with contextlib.suppress(OsContainersError, OSError):
            for word, what in find(ctx, incomplete):
                if word.startswith(incomplete) and word.isprintable():
                    items.append(CompletionItem(word, help=plain(what)))
        return items

    return complete


@completer
def containers(_: click.Context, __: str) -> Found:
    """Yield the containers that there are."""
    from os_containers.deployment.container import all_and_factories  # noqa: PLC0415

    for container in all_and_factories(_paths()):
        yield container.name, "container"


@completer
def images(_: click.Context, incomplete: str) -> Found:
    """Yield the images in the store, and the ways to others."""
    yield from _stored_images()
    yield from _elsewhere(incomplete)


@completer
def stored_images(_: click.Context, __: str) -> Found:
    """Yield the images in the store."""
    yield from _stored_images()


@completer
def containers_and_images(_: click.Context, incomplete: str) -> Found:
    """Yield both: either is a word that `run` takes."""
    from os_containers.deployment.container import all_and_factories  # noqa: PLC0415

    for container in all_and_factories(_paths()):
        yield container.name, "container"
    yield from _stored_images()
    yield from _elsewhere(incomplete)


@completer
def variables(ctx: click.Context, incomplete: str) -> Found:
    """Yield the variables of what the line names, and behind `NAME=` the value that one has."""
    for name, value in _values_of(ctx).items():
        yield f"{name}=", "has no default" if value is None else value
        if value is not None and incomplete.startswith(f"{name}="):
            yield f"{name}={value}", "the value without --set"


@completer
def set_variables(ctx: click.Context, _: str) -> Found:
    """Yield the variables of the container that the line names, as far as somebody has set them."""
    from os_containers.deployment.values import set_by_user  # noqa: PLC0415

    container = _container_of(ctx)
    yield from set_by_user(container.current().record.values).items() if container else ()


@completer
def deployments(ctx: click.Context, _: str) -> Found:
    """Yield the deployments to which the container that the line names can return."""
    from os_containers.deployment.history import others  # noqa: PLC0415

    container = _container_of(ctx)
    for deployment in others(container) if container else ():
        if deployment.is_factory:
            continue
        yield str(deployment.serial), deployment.record.image


@completer
def runtimes(_: click.Context, __: str) -> Found:
    """Yield the OCI runtimes of this host."""
    from os_containers.host.runtime import PREFERRED  # noqa: PLC0415
    from os_containers.process import find_program  # noqa: PLC0415

    for name in PREFERRED:
        if find_program(name):
            yield name, "OCI runtime"


def _container_of(ctx: click.Context) -> "Container | None":
    from os_containers.deployment.container import Container  # noqa: PLC0415
    from os_containers.deployment.name import check_name  # noqa: PLC0415

    name = ctx.params.get("name")
    paths = _paths()
    return Container.find(paths, check_name(name)) if name else None


def _values_of(ctx: click.Context) -> dict[str, str | None]:
    """Return the variables that may be set, with the values that they have now."""
    from os_containers.deployment.values import FORCED  # noqa: PLC0415 - as for all of these

    container, image = _container_of(ctx), ctx.params.get("rebase") or ctx.params.get("image")
    values: dict[str, str | None] = {}
    if image:
        values |= _values_of_image(image)
    if container:
        values |= {name: value.text for name, value in container.current().record.values.items()}
    return {name: value for name, value in values.items() if name not in FORCED}


def _values_of_image(image: str) -> dict[str, str | None]:
    """Return the variables in an image's templates, with their defaults; of one that is here."""
    from os_containers.deployment.exports import parse_manifest  # noqa: PLC0415
    from os_containers.deployment.template import variables as variables_in  # noqa: PLC0415
    from os_containers.deployment.values import generate  # noqa: PLC0415
    from os_containers.image.name import store_name  # noqa: PLC0415
    from os_containers.image.reference import ImageReference  # noqa: PLC0415
    from os_containers.ostree.repo import Repo  # noqa: PLC0415

    paths = _paths()
    repo = Repo(paths.repo, paths.mode)
    found = repo.find_image(store_name(ImageReference.parse(image)))
    if found is None:
        return {}
    exports = {name: _content(repo.find_content(found.commit, f"exports/{name}")) for name in _EXPORTS}
    manifest = exports.pop("manifest.json")
    defaults = parse_manifest(manifest).defaults() if manifest else {}
    named = {name for source, text in exports.items() for name in variables_in(text, source=source)}
    ours = generate(paths, name="", runtime=Path("crun"), previous={}).keys()
    return dict.fromkeys(sorted(named - ours)) | defaults


def _content(path: Path | None) -> bytes:
    if path is None or path.is_symlink():
        return b""
    with path.open("rb") as file:
        return file.read(_MOST)


def _stored_images() -> Found:
    from os_containers.errors import BrokenError  # noqa: PLC0415
    from os_containers.ostree import refs  # noqa: PLC0415
    from os_containers.ostree.ref_files import RefFiles  # noqa: PLC0415

    for ref in RefFiles(_paths().repo).names(refs.IMAGES):
        with contextlib.suppress(BrokenError):
            if not refs.is_blob_ref(ref):
                yield refs.image_name(ref), "image"


def _elsewhere(incomplete: str) -> Found:
    """Yield what an image's name may begin with, and the files behind those that say where it is."""
    if incomplete:
        for transport in _TRANSPORTS:
            yield transport, "transport"
    where = next((one for one in _PATHS if incomplete.startswith(one)), None)
    if where:
        directory, _, _ = incomplete.removeprefix(where).rpartition("/")
        before = f"{directory}/" if "/" in incomplete else ""
        with os.scandir(before or ".") as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                yield f"{where}{before}{entry.name}{'/' if entry.is_dir() else ''}", "path"


def _paths() -> "Paths":
    from os_containers.config import find_paths  # noqa: PLC0415

    paths, _ = find_paths(uid=os.geteuid(), environment=os.environ)
    return paths
