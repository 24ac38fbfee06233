"""os-containers install."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from os_containers.cli import image_options, options
from os_containers.cli.command import Command
from os_containers.cli.context import Invocation, pass_invocation
from os_containers.cli.planned import require_dry_run, show_plans
from os_containers.errors import UsageError
from os_containers.image.access import ProxyOptions
from os_containers.operations.choices import Choices
from os_containers.operations.install import install as install_container
from os_containers.operations.install import install_or_run_once
from os_containers.operations.package import make_package, native_format
from os_containers.operations.plan import Plan
from os_containers.operations.preview import plan_install

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_containers.deployment.deployment import Deployment


@click.command(
    cls=Command,
    examples=(
        ("install quay.io/org/etcd:3.5", "Install the container etcd-3.5"),
        (
            "install --name etcd --set CLUSTER=blue quay.io/org/etcd:3.5",
            "Choose its name, and set a variable",
        ),
        ("install --dry-run quay.io/org/etcd:3.5", "See every file, unit and step beforehand"),
        ("install --name web --rootfs /srv/web", "Run an existing root file system"),
    ),
    output=list[Plan],
)
@options.any_image
@options.rootfs
@options.new_name
@click.option(
    "--system-package",
    type=click.Choice(["build", "no"]),
    default="no",
    show_default=True,
    help="With build, do not install, but build a package for this host, as os-containers package does.",
)
@image_options.choices
@image_options.registry
@options.dry_run
@options.plan_as_json
@pass_invocation
def install(
    invocation: Invocation,
    image: str | None,
    *,
    rootfs: Path | None,
    name: str | None,
    system_package: str,
    choices: Choices,
    options: ProxyOptions,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Install a container from an image: its service is enabled, but not started.

    The image is pulled if it is not in the store.

    With --rootfs, the container runs the root file system in DIR, such as a read-only mount, without copying
    it. DIR/exports says how; without a runtime configuration there, IMAGE must be given, and its entrypoint,
    environment and user are used.

    An image with the label atomic.run=once is not installed, but run once; the exit code is then that of its
    command.
    """
    require_dry_run(dry_run=dry_run, as_json=as_json)
    make: Callable[..., Deployment | Path | int] = install_or_run_once
    if rootfs or not image:
        make = functools.partial(install_container, rootfs=rootfs)
    if system_package == "build":
        _check_package(is_of_image=bool(image and not rootfs), dry_run=dry_run)
        make = functools.partial(make_package, kind=native_format(), output=Path())
    with invocation.system() as system:
        if dry_run:
            plan = plan_install(system, image, choices, rootfs=rootfs, name=name)
            show_plans([plan], as_json=as_json)
            return 0
        made = make(system, image, choices, name=name, options=options)
    if isinstance(made, Path):
        click.echo(made)
    return made if isinstance(made, int) else 0


def _check_package(*, is_of_image: bool, dry_run: bool) -> None:
    if not is_of_image:
        raise UsageError("a package is built from an image", hint="name an image, and leave out --rootfs")
    if dry_run:
        raise UsageError(
            "building a package changes nothing on the host, so it has no dry run",
            hint="leave out --dry-run, and inspect the package",
        )
