"""Package: an image becomes a package of the distribution, which brings what install would make."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from os_containers import files, process
from os_containers.deployment.deployment import save_record
from os_containers.deployment.name import check_name
from os_containers.errors import NotFoundError, SystemFaultError, UsageError
from os_containers.events import Warned
from os_containers.faults import is_exhaustion
from os_containers.host.unit import render_drop_in
from os_containers.image.about import parse_about
from os_containers.image.access import ProxyOptions
from os_containers.image.name import store_name
from os_containers.image.reference import ImageReference, container_name, split_tag
from os_containers.operations.blueprint import Blueprint
from os_containers.operations.build import build
from os_containers.operations.choices import Choices
from os_containers.operations.find_image import stored_or_pulled_image
from os_containers.operations.stage import approved_files, staging_directory
from os_containers.operations.system import System
from os_containers.ostree.repo import Repo
from os_containers.ostree.stored_image import STORED, StoredImage
from os_containers.packages import debian, rpm
from os_containers.packages.contents import Contents, below, lay_out
from os_containers.packages.facts import BUNDLES, UNITS, Facts, facts_of
from os_containers.paths import Mode


class Format(StrEnum):
    """What kind of package."""

    DEB = "deb"
    RPM = "rpm"


@dataclass(frozen=True, slots=True)
class _Packager:
    tool: str
    build: Callable[[Facts, Contents, Path], Path]


_PACKAGERS = {
    Format.DEB: _Packager(debian.TOOL, debian.build_deb),
    Format.RPM: _Packager(rpm.TOOL, rpm.build_rpm),
}


def native_format() -> Format:
    """Return the kind of package that this host installs. Raises SystemFaultError when it installs none."""
    for kind, program in ((Format.DEB, "dpkg"), (Format.RPM, "rpm")):
        if process.find_program(program):
            return kind
    raise SystemFaultError(
        "neither dpkg nor rpm is installed",
        hint="to build a package for another host: os-containers package --format deb|rpm",
    )


def make_package(
    system: System,
    image: str,
    choices: Choices,
    *,
    kind: Format,
    output: Path,
    name: str | None = None,
    options: ProxyOptions | None = None,
) -> Path:
    """Return the package, in the directory output; on this host nothing else is changed.

    Raises PolicyError when a host file needs a permission, SystemFaultError when a tool is missing or the
    directory cannot be written.
    """
    packager = _PACKAGERS[kind]
    _check(system, packager.tool, output)
    runtime = system.runtime(choices.runtime, recorded="")
    container = check_name(container_name(store_name(ImageReference.parse(image))) if name is None else name)
    repo = system.repo()
    stored = stored_or_pulled_image(system, repo, image, options=options)
    place, settings = BUNDLES / container, choices.settings
    blueprint = Blueprint(container, place, 1, stored, runtime, settings, permission=choices.permission)
    with system.store_in_use(), staging_directory(system, container) as scratch:
        contents = _laid_out(system, repo, blueprint, scratch.path / "package")
        _verify(system, contents)
        package = packager.build(_facts(blueprint, stored), contents, scratch.path)
        system.tell(f"{packager.tool} built {package.name}")
        if (output / package.name).exists():
            # the version is the image's: values are not in it
            system.on_event(Warned(f"{output / package.name} is replaced"))
        return _move(package, output)


def _laid_out(system: System, repo: Repo, blueprint: Blueprint, top: Path) -> Contents:
    bundle = below(top, blueprint.path)
    files.make_directory(bundle, mode=0o700)
    # what the unit calls is where the package will have it
    target = replace(system, paths=replace(system.paths, state=BUNDLES))
    built = build(target, repo, blueprint, bundle).record
    save_record(bundle, replace(built, approved=approved_files(system, blueprint, bundle / "host")))
    return lay_out(top, blueprint.name, drop_in=render_drop_in(systemd_version=system.services.version()))


def _check(system: System, tool: str, output: Path) -> None:
    if system.mode is Mode.USER:
        raise UsageError("only root can make packages: files in them have owners", hint="run it as root")
    if process.find_program(tool) is None:
        raise process.missing_program(tool)
    if not output.is_dir():
        raise NotFoundError(f"there is no directory {output}", hint=f"mkdir -p {output}")
    _check_writable(output)


def _check_writable(output: Path) -> None:
    # permissions do not tell: root has all of them, and nobody can make a file in /proc
    try:
        tempfile.TemporaryFile(dir=output).close()
    except OSError as error:
        if is_exhaustion(error):
            raise
        raise SystemFaultError(
            f"cannot write to {output.absolute()}: {error.strerror}",
            hint="change to another directory, or name one: os-containers package --output DIR",
        ) from error


def _verify(system: System, contents: Contents) -> None:
    if contents.has_service:
        system.services.verify_unit(below(contents.top, UNITS / f"{contents.container}.service"))
    lost = contents.with_capabilities()
    if lost:
        system.on_event(Warned(f"packages do not carry the capabilities of {', '.join(lost)}"))


def _facts(blueprint: Blueprint, image: StoredImage) -> Facts:
    config = image.image_config()
    return facts_of(
        blueprint.name,
        image=f"{image.name}@{image.digest}",
        tag=split_tag(image.name)[1],
        architecture=config.architecture,
        created=config.created,
        labels=parse_about(image.config, STORED).labels,
        runtime=blueprint.runtime.path,
    )


def _move(package: Path, output: Path) -> Path:
    """Put a package where it was asked for, whole or not at all."""
    target = output / package.name
    temporary = files.temporary_name(target)
    try:
        shutil.copyfile(package, temporary)
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target
